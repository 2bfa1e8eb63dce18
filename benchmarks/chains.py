"""What somebody would put together without Tonalog: chains from the bytes of a note to scores, for `make bench`.

Each gets its windows as ours does: speech joined, windows of 8 s, the last as long as it is, which spares the others the
padding that they would otherwise compute on.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import soundfile
import soxr
import torch
import webrtcvad
from numpy.typing import NDArray

from training.nets.backbones.distilhubert import DISTILHUBERT
from training.nets.pretrained import HubertConfig
from worker.scoring.onnx_runtime import ort

# isort: split
from transformers import HubertForSequenceClassification, Wav2Vec2FeatureExtractor, pipeline  # noqa: TID251 - above it lost its telemetry

Signal = NDArray[np.float32]
Chain = Callable[[bytes], list[Any]]
RATE_HZ = 16_000
WINDOW_SAMPLES = 128_000
LEAST_SAMPLES = 8_000
"""Shorter windows are padded: DistilHuBERT's convolutions need 400 samples, and half a second is no score."""
FRAME_SAMPLES = 480
MODE = 2
N_LABELS = 4


def load_by_librosa(note: bytes) -> Signal:
    """Decode to mono at 16 kHz, as most scripts do."""
    signal, _ = librosa.load(io.BytesIO(note), sr=RATE_HZ)
    return signal


def load_by_soundfile(note: bytes) -> Signal:
    """Decode by libsndfile and resample by soxr, without librosa."""
    signal, rate_hz = soundfile.read(io.BytesIO(note), dtype="float32", always_2d=True)
    return soxr.resample(signal.mean(axis=1), rate_hz, RATE_HZ).astype(np.float32)


def find_speech(signal: Signal) -> Signal:
    """Keep the frames of 30 ms in which WebRTC's detector hears speech, asked one by one."""
    detector = webrtcvad.Vad(MODE)
    pcm = (np.clip(signal, -1.0, 1.0) * 32767).astype(np.int16)
    starts = range(0, len(pcm) - FRAME_SAMPLES + 1, FRAME_SAMPLES)
    kept = [one for one in starts if detector.is_speech(pcm[one : one + FRAME_SAMPLES].tobytes(), RATE_HZ)]
    return np.concatenate([signal[one : one + FRAME_SAMPLES] for one in kept]) if kept else signal[:0]


def cut_windows(speech: Signal) -> Iterator[Signal]:
    """Cut windows of 8 s without overlap."""
    for start in range(0, len(speech), WINDOW_SAMPLES):
        window = speech[start : start + WINDOW_SAMPLES]
        yield np.pad(window, (0, max(LEAST_SAMPLES - len(window), 0)))


def build_pipeline() -> Callable[[Signal], Any]:
    """Build transformers' pipeline around DistilHuBERT with random weights, on one thread."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = HubertForSequenceClassification(HubertConfig(**DISTILHUBERT, num_labels=N_LABELS)).eval()
    extractor = Wav2Vec2FeatureExtractor(sampling_rate=RATE_HZ, return_attention_mask=False)
    classify = pipeline("audio-classification", model=model, feature_extractor=extractor, device="cpu")
    return lambda window: classify({"raw": window, "sampling_rate": RATE_HZ})


def build_onnx(path: Path) -> Callable[[Signal], Any]:
    """Build a session of a graph, on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda window: session.run(None, {session.get_inputs()[0].name: window[None]})


def build_audonnx(path: Path) -> Callable[[Signal], Any] | None:
    """Build audinterface's and audonnx's way to a graph, on one thread; None where they are not installed."""
    try:
        import audinterface  # noqa: PLC0415
        import audonnx  # noqa: PLC0415
    except ImportError:
        return None
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        linked = Path(folder) / "model.onnx"
        Path(linked).symlink_to(path)
        model = audonnx.Model(str(linked), device="cpu", session_options=options)
        interface = audinterface.Process(process_func=model, sampling_rate=RATE_HZ)
    return lambda window: interface.process_signal(window, RATE_HZ)


def build_librosa_chain() -> Chain:
    """Build `librosa.load`, `librosa.effects.trim`, a loop around webrtcvad, and transformers' pipeline."""
    classify = build_pipeline()

    def score(note: bytes) -> list[Any]:
        trimmed, _ = librosa.effects.trim(load_by_librosa(note))
        return [classify(window) for window in cut_windows(find_speech(trimmed))]

    return score


def build_onnx_chain(path: Path) -> Chain:
    """Build soundfile, soxr, a loop around webrtcvad, and onnxruntime."""
    classify = build_onnx(path)

    def score(note: bytes) -> list[Any]:
        return [classify(window) for window in cut_windows(find_speech(load_by_soundfile(note)))]

    return score
