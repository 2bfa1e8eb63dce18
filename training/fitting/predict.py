"""Probabilities of a net for the windows of a corpus."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.data.windows import WindowSet
from training.measures import metrics

PREDICT_BATCH = 8


def predict(net: Any, windows: WindowSet, *, device: str = "cpu") -> NDArray[np.float64]:
    """Return probabilities of unchanged windows, float64 (n_windows, n_labels); the net ends in evaluation mode."""
    net.eval()
    logits = []
    with torch.inference_mode():
        for rows in np.array_split(np.arange(len(windows)), -(-len(windows) // PREDICT_BATCH)):
            waveform, _ = windows.make_batch(rows)
            logits.append(net(torch.from_numpy(waveform).to(device)).double().cpu().numpy())
    return metrics.apply_softmax(np.concatenate(logits))
