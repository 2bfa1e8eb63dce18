"""Build examples/notes from Debian's Asterisk prompts and notes.toml; never read by the product, only run by hand.

The same prompts and the same PyAV give the same bytes: noise is seeded by the note's key, and every muxer is bit-exact.

    python examples/build_notes.py SOUNDS [--out examples/notes]
"""

from __future__ import annotations

import argparse
import io
import tomllib
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import webrtcvad
from av.codec.context import Flags
from numpy.typing import NDArray

SAMPLING_RATE_HZ = 16_000
SPEECH_DBFS = -21.0
"""Level of the spoken part; voice-note applications deliver about -25 to -18 dBFS RMS."""
PAUSE_LEVEL = 0.01
"""Samples below this (-40 dBFS) are the prompt's own pauses and do not count for its level."""
MIN_SPEECH_S = 3.0
"""A good note with less speech than this is a mistake in notes.toml."""
FRAME_MS = 30
ERROR_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>403 Forbidden</title></head>\n"
    "<body><h1>403 Forbidden</h1><p>The link to this voice note has expired.</p></body></html>\n"
)


@dataclass(frozen=True)
class Codec:
    """Where encoded sound goes: FFmpeg's names of container and encoder, and what a phone would choose."""

    container: str
    encoder: str
    sampling_rate_hz: int
    bit_rate: int | None = None


CODECS = {
    "ogg_opus": Codec("ogg", "libopus", 48_000, 16_000),
    "webm_opus": Codec("webm", "libopus", 48_000, 24_000),
    "m4a_aac": Codec("ipod", "aac", 44_100, 32_000),
    "amr_nb": Codec("amr", "libopencore_amrnb", 8_000, 12_200),
    "threegp_amr_nb": Codec("3gp", "libopencore_amrnb", 8_000, 12_200),
    "mp3": Codec("mp3", "libmp3lame", 16_000, 32_000),
    "wav": Codec("wav", "pcm_s16le", SAMPLING_RATE_HZ),
    "flac": Codec("flac", "flac", SAMPLING_RATE_HZ),
    "caf_ima4": Codec("caf", "adpcm_ima_qt", SAMPLING_RATE_HZ),
}


@dataclass(frozen=True)
class Note:
    """One entry of notes.toml: spoken prompts, silence or noise, and an optional fault of the finished file."""

    key: str
    expect: str
    voice: str | None = None
    prompts: list[str] = field(default_factory=list)
    silence_s: float = 0.0
    noise_s: float = 0.0
    codec: str | None = None
    room_dbfs: float = -60.0
    fault: str | None = None


def decode(file: Path | io.BytesIO, *, container: str | None = None) -> NDArray[np.float32]:
    """Decode a sound to mono 16 kHz.

    Returns:
        float32 (n_samples,), in [-1, 1].
    """
    to_mono = av.AudioResampler(format="s16", layout="mono", rate=SAMPLING_RATE_HZ)
    with av.open(file, "r", format=container) as source:
        frames = [part for frame in source.decode(audio=0) for part in to_mono.resample(frame)]
    frames += to_mono.resample(None)
    joined = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    return (joined / 32768.0).astype(np.float32)


def make_room(n_samples: int, *, dbfs: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Make the sound of a room or of wind: noise falling 6 dB an octave above 250 Hz, swelling slowly, at `dbfs` RMS."""
    white = rng.standard_normal(n_samples)
    freqs_hz = np.fft.rfftfreq(n_samples, 1 / SAMPLING_RATE_HZ)
    coloured = np.fft.irfft(np.fft.rfft(white) / np.sqrt(1.0 + (freqs_hz / 250.0) ** 2), n_samples)
    time_s = np.arange(n_samples) / SAMPLING_RATE_HZ
    swelling = coloured * (1.0 + 0.3 * np.sin(2 * np.pi * 0.23 * time_s + rng.uniform(0, 2 * np.pi)))
    return np.asarray(swelling * 10 ** (dbfs / 20) / np.sqrt(np.mean(swelling**2)), np.float32)


def speak(prompts: list[Path], *, rng: np.random.Generator) -> NDArray[np.float32]:
    """Join prompts with pauses of 0.4 to 1.1 s, as somebody thinking aloud, levelled to SPEECH_DBFS."""
    parts = [np.zeros(int(rng.uniform(0.2, 0.6) * SAMPLING_RATE_HZ), np.float32)]
    for prompt in prompts:
        spoken = decode(prompt, container="g722" if prompt.suffix == ".g722" else None)
        loud = spoken[np.abs(spoken) > PAUSE_LEVEL]
        parts.append(spoken * np.float32(10 ** (SPEECH_DBFS / 20) / np.sqrt(np.mean(loud**2))))
        parts.append(np.zeros(int(rng.uniform(0.4, 1.1) * SAMPLING_RATE_HZ), np.float32))
    return np.concatenate(parts)


def encode(signal: NDArray[np.float32], codec: Codec, *, credit: str) -> bytes:
    """Encode mono 16 kHz sound, bit-exact, with the credit in the file's own tags where the container has any."""
    out = io.BytesIO()
    pcm = np.round(np.clip(signal, -1, 1) * 32767).astype(np.int16)
    with av.open(out, "w", format=codec.container, options={"fflags": "+bitexact"}) as container:
        container.metadata["copyright"] = credit
        stream: Any = container.add_stream(codec.encoder, rate=codec.sampling_rate_hz)
        stream.layout = "mono"
        if codec.bit_rate:
            stream.bit_rate = codec.bit_rate
        stream.codec_context.flags |= Flags.bitexact
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = SAMPLING_RATE_HZ, 0
        fitted = av.AudioResampler(format=stream.format.name, layout="mono", rate=codec.sampling_rate_hz)
        for part in [*fitted.resample(frame), *fitted.resample(None), None]:
            container.mux(stream.encode(part))
    return out.getvalue()


def build(note: Note, *, voices: dict[str, dict[str, str]], sounds: Path) -> bytes:
    """Make one note's bytes: say or hum it, encode it, then break it as the recipe asks."""
    if note.fault == "error_page":
        return ERROR_PAGE.encode()
    if note.fault == "zero_bytes" or note.codec is None:
        return b""
    rng = np.random.default_rng(zlib.crc32(note.key.encode()))
    credit = "Tonalog, CC0 1.0"
    if note.voice:
        voice = voices[note.voice]
        credit = voice["credit"]
        signal = speak([sounds / voice["folder"] / (name + voice["suffix"]) for name in note.prompts], rng=rng)
    else:
        signal = np.zeros(int((note.silence_s + note.noise_s) * SAMPLING_RATE_HZ), np.float32)
    content = encode(signal + make_room(len(signal), dbfs=note.room_dbfs, rng=rng), CODECS[note.codec], credit=credit)
    return content[: len(content) // 2] if note.fault == "cut_in_half" else content


def measure_speech_s(signal: NDArray[np.float32]) -> float:
    """Return how many seconds WebRTC VAD (mode 3, 30 ms frames) calls voiced."""
    vad, n = webrtcvad.Vad(3), SAMPLING_RATE_HZ * FRAME_MS // 1000
    pcm = (np.clip(signal, -1, 1) * 32767).astype(np.int16)
    voiced = [vad.is_speech(pcm[i : i + n].tobytes(), SAMPLING_RATE_HZ) for i in range(0, len(pcm) - n + 1, n)]
    return float(sum(voiced) * FRAME_MS / 1000)


def describe(note: Note, content: bytes) -> str:
    """Return the note's row for the listing, after hearing it back.

    Raises:
        ValueError: A note meant to be scored holds less than MIN_SPEECH_S of speech.
    """
    row = f"{note.key:40} {note.codec or '-':15} {len(content):7d} B  {note.expect}"
    if note.fault:
        return row
    signal = decode(io.BytesIO(content))
    speech_s = measure_speech_s(signal)
    if note.expect == "scored" and speech_s < MIN_SPEECH_S:
        raise ValueError(f"{note.key} holds {speech_s:.1f} s of speech; a scored note needs {MIN_SPEECH_S} s")
    return f"{row} ({len(signal) / SAMPLING_RATE_HZ:.1f} s, voiced {speech_s:.1f} s)"


def main() -> None:
    """Build every note of notes.toml and print the list."""
    parser = argparse.ArgumentParser(description="Build examples/notes from extracted Asterisk prompts.")
    parser.add_argument("sounds", type=Path, help="folder that holds en_US_f_Allison, it_IT_f_Menardi, ...")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "notes")
    arguments = parser.parse_args()
    recipe = tomllib.loads((Path(__file__).parent / "notes.toml").read_text(encoding="utf-8"))
    for note in [Note(**entry) for entry in recipe["note"]]:
        content = build(note, voices=recipe["voice"], sounds=arguments.sounds)
        target = arguments.out / note.key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        print(describe(note, content))


if __name__ == "__main__":
    main()
