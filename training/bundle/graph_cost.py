"""Measure what a graph costs and whether a window's neighbours change it, on one thread; it judges nothing."""

from __future__ import annotations

import time

import numpy as np

from worker.scoring.onnx_runtime import ort

N_ROUNDS = 9
PADDED_SAMPLES = 128_000


def measure_speed(sessions: dict[str, ort.InferenceSession]) -> dict[str, tuple[float, float]]:
    """Return median wall and CPU ms of one 8 s window, the sessions taking turns in one process."""
    rng = np.random.default_rng(0)
    feed = {"waveform": rng.standard_normal((1, PADDED_SAMPLES)).astype(np.float32) * np.float32(0.1)}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in sessions}
    for _ in range(N_ROUNDS):
        for name, session in sessions.items():
            wall, cpu = time.perf_counter(), time.process_time()
            session.run(None, feed)
            times[name].append(((time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3))
    medians = {name: np.median(np.array(rows[1:]), axis=0).tolist() for name, rows in times.items()}
    return {name: (wall, cpu) for name, (wall, cpu) in medians.items()}


def measure_batch_effect(session: ort.InferenceSession) -> float:
    """Return the largest change of any output when windows of other lengths and loudness share the batch."""
    rng = np.random.default_rng(0)
    batch = rng.standard_normal((6, PADDED_SAMPLES)).astype(np.float32)
    for row, (length, level) in enumerate(((128, 0.9), (16, 0.01), (40, 0.3), (64, 0.001), (8, 0.9), (100, 0.1))):
        batch[row] *= np.float32(level / 4)
        batch[row, length * 1000 :] = 0.0
    together = session.run(None, {"waveform": batch})
    alone = [session.run(None, {"waveform": row[None]}) for row in batch]
    apart = (np.concatenate([one[k] for one in alone]) for k in range(len(together)))
    return max(float(np.abs(a - b).max()) for a, b in zip(together, apart, strict=True))
