"""Make the notes that `make bench` scores: Opus at 48 kHz, lengths lognormal with a median of 15 s, speech with pauses."""

from __future__ import annotations

import argparse
import io
import random
import tomllib
from collections.abc import Iterator
from pathlib import Path
from statistics import NormalDist

import av
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples" / "notes"
RATE_HZ = 48_000
MEDIAN_S, SIGMA = 15.0, 0.8
LEAST_S, MOST_S = 2.0, 120.0
PAUSE_S = (0.2, 1.2)
ROOM = 10 ** (-60 / 20)
"""A room at -60 dBFS stands in the pauses, so that no detector gets digital silence for nothing."""
PEAK = 0.6
BIT_RATE = 24_000  # bit/s, about what messengers send
SUFFIXES = {".wav", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".flac", ".webm", ".caf"}
LISTED = EXAMPLES.with_suffix(".toml")
"""Says which of the examples are speech, and which are there to be refused."""


def choose_lengths(n_notes: int, *, median_s: float = MEDIAN_S, seed: int = 0) -> list[float]:
    """Return lengths in seconds: the middle of each of `n_notes` equal parts of the distribution, in mixed order.

    >>> sorted(round(length_s, 1) for length_s in choose_lengths(3))
    [6.9, 15.0, 32.5]
    """
    normal = NormalDist()
    at = [normal.inv_cdf((place + 0.5) / n_notes) for place in range(n_notes)]
    lengths = [min(max(median_s * float(np.exp(SIGMA * one)), LEAST_S), MOST_S) for one in at]
    random.Random(seed).shuffle(lengths)  # noqa: S311 - an order, not a secret
    return lengths


def make_notes(
    n_notes: int = 24, *, source: Path | None = None, median_s: float = MEDIAN_S, seed: int = 0
) -> list[bytes]:
    """Make notes of speech.

    Args:
        n_notes: 1 or more.
        source: folder of recordings of speech, searched in all depths; by default the examples of the repository.
        median_s: of their lengths.
        seed: of order, choice and pauses; the same arguments give the same signals.

    Returns:
        Ogg files.

    Raises:
        FileNotFoundError: no recording is in `source`.
    """
    files = list_recordings(source)
    rng = np.random.default_rng(seed)
    speech = _speak(files, rng)
    return [
        encode_opus(_cut(speech, length_s, rng)) for length_s in choose_lengths(n_notes, median_s=median_s, seed=seed)
    ]


def list_recordings(source: Path | None = None) -> list[Path]:
    """List the recordings of a folder, or the examples that are speech, sorted by name.

    Raises:
        FileNotFoundError: there is none.
    """
    if source is None:
        listed = tomllib.loads(LISTED.read_text(encoding="utf-8"))["note"]
        files = [EXAMPLES / one["key"] for one in listed if one["expect"] == "scored"]
    else:
        files = [*source.rglob("*")]
    found = sorted(path for path in files if path.suffix.lower() in SUFFIXES)
    if not found:
        raise FileNotFoundError(f"{source or EXAMPLES} holds no recording; allowed are {', '.join(sorted(SUFFIXES))}")
    return found


def _speak(files: list[Path], rng: np.random.Generator) -> Iterator[NDArray[np.float32]]:
    """Give one recording after another, in another order in each round, without end."""
    while True:
        n_given = 0
        for place in rng.permutation(len(files)):
            signal = read_signal(files[place])
            if signal.size and (peak := float(np.abs(signal).max())) > ROOM:
                n_given += 1
                yield signal * np.float32(PEAK / peak)
        if not n_given:
            raise FileNotFoundError(f"none of {len(files)} recordings holds a sound")


def _cut(speech: Iterator[NDArray[np.float32]], length_s: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Put recordings and pauses in a row until they are long enough."""
    n_samples = round(length_s * RATE_HZ)
    parts: list[NDArray[np.float32]] = []
    while sum(len(part) for part in parts) < n_samples:
        parts += [next(speech), np.zeros(round(rng.uniform(*PAUSE_S) * RATE_HZ), dtype=np.float32)]
    signal = np.concatenate(parts)[:n_samples]
    return signal + rng.standard_normal(n_samples).astype(np.float32) * np.float32(ROOM)


def read_signal(path: Path) -> NDArray[np.float32]:
    """Read a recording as float32 (n_samples,), mono at 48 kHz; empty where FFmpeg finds no sound in it."""
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE_HZ)
    parts = []
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(audio=0):
                parts += [one.to_ndarray()[0] for one in resampler.resample(frame)]
            parts += [one.to_ndarray()[0] for one in resampler.resample(None)]
    except (av.FFmpegError, IndexError):
        return np.zeros(0, dtype=np.float32)
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)


def encode_opus(signal: NDArray[np.float32]) -> bytes:
    """Encode mono at 48 kHz as Ogg Opus, as messengers do."""
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=RATE_HZ)
        stream.layout, stream.bit_rate = "mono", BIT_RATE
        frame = av.AudioFrame.from_ndarray(signal[None], format="flt", layout="mono")
        frame.sample_rate = RATE_HZ
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def main() -> None:
    """Write the notes into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", type=Path, help="recordings of speech; default: examples/notes")
    parser.add_argument("--notes", type=int, default=24)
    parser.add_argument("--median-s", type=float, default=MEDIAN_S)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for number, note in enumerate(make_notes(arguments.notes, source=arguments.source, median_s=arguments.median_s)):
        (arguments.folder / f"{number:03}.ogg").write_bytes(note)


if __name__ == "__main__":
    main()
