"""Time decoding and finding speech, codec by codec, in turn with librosa.load and with another checkout of this repository.

python -m benchmarks.audio_stages [FOLDER] [--against CHECKOUT] [--turns 7] [--seconds 60]
"""

from __future__ import annotations

import argparse
import importlib
import io
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import librosa
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from benchmarks.protocol import print_protocol

HERE = Path(__file__).resolve().parents[1]
EXAMPLES = HERE / "examples" / "notes"
SUFFIXES = {".wav", ".ogg", ".opus", ".flac"}
RATE_HZ = 16_000
CODECS: dict[str, tuple[str, str, int, int | None]] = {
    "Opus 24 kbit/s": ("ogg", "libopus", 48_000, 24_000),
    "Opus 64 kbit/s": ("ogg", "libopus", 48_000, 64_000),
    "Opus of 16 kHz": ("ogg", "libopus", 16_000, 24_000),
    "WebM Opus": ("webm", "libopus", 48_000, 32_000),
    "AAC, M4A": ("mp4", "aac", 44_100, 64_000),
    "MP3": ("mp3", "libmp3lame", 44_100, 64_000),
    "AMR-NB": ("amr", "libopencore_amrnb", 8_000, 12_200),
    "FLAC": ("flac", "flac", 48_000, None),
    "WAV": ("wav", "pcm_s16le", 48_000, None),
}
"""Muxer, encoder, sampling rate, bits a second. An encoder that PyAV lacks is left out."""


@dataclass(frozen=True)
class Stages:
    """The two stages as one checkout has them."""

    decode: Callable[[bytes], list[NDArray[np.float32]]]
    find_speech: Callable[[list[NDArray[np.float32]]], int]


def load_stages(checkout: Path) -> Stages:
    """Import the audio rooms of a checkout beside those that are loaded already.

    Raises:
        ImportError: the checkout has none.
    """
    kept = {name: sys.modules.pop(name) for name in [*sys.modules] if name.split(".")[0] == "worker"}
    sys.path.insert(0, str(checkout))
    finders = [finder for finder in sys.meta_path if "editable" in repr(finder).lower()]
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder not in finders]
    try:
        decode = importlib.import_module("worker.audio.decode")
        vad = importlib.import_module("worker.audio.vad")
    finally:
        sys.meta_path[:0] = finders
        sys.path.remove(str(checkout))
        for name in [name for name in sys.modules if name.split(".")[0] == "worker"]:
            del sys.modules[name]
        sys.modules.update(kept)
    if Path(str(decode.__file__)).parents[2] != checkout.resolve():
        raise ImportError(f"worker.audio of {checkout} was asked for, and {decode.__file__} was loaded")

    def find_speech(blocks: list[NDArray[np.float32]]) -> int:
        detector = vad.SpeechDetector()
        return sum(len(detector.feed(block)) for block in blocks) + len(detector.flush())

    return Stages(lambda recording: [*decode.iter_blocks(io.BytesIO(recording))], find_speech)


def gather_speech(folder: Path, seconds: float) -> NDArray[np.float32]:
    """Join recordings of a folder, float32 mono at 16 kHz, until they last long enough.

    Raises:
        FileNotFoundError: the folder holds no recording that soundfile reads.
    """
    parts: list[NDArray[np.float32]] = []
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    np.random.default_rng(0).shuffle(files)  # type: ignore[arg-type]
    for path in files:
        try:
            signal, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError:
            continue  # the examples have broken ones too
        parts.append(soxr.resample(signal.mean(axis=1), rate_hz, RATE_HZ))
        if sum(map(len, parts)) >= seconds * RATE_HZ:
            return np.concatenate(parts)[: round(seconds * RATE_HZ)]
    if not parts:
        raise FileNotFoundError(f"{folder} holds no recording; allowed are {', '.join(sorted(SUFFIXES))}")
    speech = np.concatenate(parts)
    return np.resize(speech, round(seconds * RATE_HZ))


def encode(speech: NDArray[np.float32], muxer: str, codec: str, rate_hz: int, bit_rate: int | None) -> bytes:
    """Encode mono at 16 kHz at another rate.

    Raises:
        ValueError: PyAV has no such encoder (`av.codec.codec.UnknownCodecError`).
    """
    signal = soxr.resample(speech, RATE_HZ, rate_hz) if rate_hz != RATE_HZ else speech
    samples = (np.clip(signal, -1, 1) * 32_767).astype(np.int16)[None]
    file = io.BytesIO()
    with av.open(file, "w", format=muxer) as container:
        stream = container.add_stream(codec, rate=rate_hz)
        stream.layout = "mono"
        if bit_rate is not None:
            stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = rate_hz
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def load_by_librosa(recording: bytes) -> NDArray[np.float32] | None:
    """Decode as most scripts do, where librosa can."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            signal, _ = librosa.load(io.BytesIO(recording), sr=RATE_HZ)
        except Exception:  # noqa: BLE001 - of a codec that it does not know it raises what its last backend raises
            return None
    return np.asarray(signal)


def measure(
    *, n_turns: int = 7, seconds: float = 60.0, source: Path = EXAMPLES, against: Path | None = None
) -> dict[str, Any]:
    """Time both stages.

    Args:
        n_turns: each with all variants.
        seconds: of speech in each recording.
        source: folder of speech.
        against: another checkout.

    Returns:
        `decode_ms` of each codec and `vad_ms`: median processor ms an audio second of each variant (`here`, `against`,
        `librosa`); `ratio_decode`: of each codec how many times that of `here` librosa.load takes, turn by turn.
    """
    checkouts = {"here": HERE} | ({} if against is None else {"against": against.resolve()})
    stages = {name: load_stages(checkout) for name, checkout in checkouts.items()}
    speech = gather_speech(source, seconds)
    decode_ms: dict[str, dict[str, float]] = {}
    ratio_decode: dict[str, float] = {}
    for name, settings in CODECS.items():
        try:
            recording = encode(speech, *settings)
        except ValueError:
            continue
        variants: dict[str, Callable[[], object]] = {
            variant: lambda one=one, recording=recording: one.decode(recording) for variant, one in stages.items()
        }
        if load_by_librosa(recording) is not None:
            variants["librosa"] = lambda recording=recording: load_by_librosa(recording)
        times = _time_in_turn(variants, n_turns)
        decode_ms[name] = _per_second(times, seconds)
        if "librosa" in times:
            ratio_decode[name] = statistics.median(np.divide(times["librosa"], times["here"]).tolist())
    blocks = np.array_split(speech, round(seconds))
    times = _time_in_turn(
        {variant: lambda one=one: one.find_speech(blocks) for variant, one in stages.items()}, n_turns
    )
    return {"decode_ms": decode_ms, "vad_ms": _per_second(times, seconds), "ratio_decode": ratio_decode}


def _time_in_turn(variants: dict[str, Callable[[], object]], n_turns: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(-1, n_turns):  # the first one warms up
        for name in [*variants][:: -1 if turn % 2 else 1]:
            start = time.process_time()
            variants[name]()
            if turn >= 0:
                times[name].append(time.process_time() - start)
    return times


def _per_second(times: dict[str, list[float]], seconds: float) -> dict[str, float]:
    return {name: 1e3 * statistics.median(one) / seconds for name, one in times.items()}


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", type=Path, default=EXAMPLES, help="speech; default: the examples")
    parser.add_argument("--against", type=Path, help="another checkout of this repository")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=60.0, help="of speech in each recording")
    options = parser.parse_args()
    print_protocol(
        f"processor ms an audio second, {options.seconds:.0f} s of speech a codec, medians of {options.turns} turns",
        order="in one process, codec after codec, the variants of each in turn, every second turn backwards",
    )
    figures = measure(n_turns=options.turns, seconds=options.seconds, source=options.folder, against=options.against)
    rows = {**figures["decode_ms"], "finding speech": figures["vad_ms"]}
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    print(f"\n{'':<18}" + "".join(f"{name:>10}" for name in (*names, "librosa x")))
    for codec, row in rows.items():
        cells = "".join(f"{row[name]:>10.2f}" if name in row else f"{'-':>10}" for name in names)
        ratio = figures["ratio_decode"].get(codec)
        print(f"{codec:<18}{cells}" + (f"{ratio:>10.2f}" if ratio else f"{'-':>10}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
