"""AMR-NB, whose encoder PyAV has no more from release 19 on: where it is missing, what release 18 made of the same sounds."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np

from tests.unit.sounds import Signal, make_sweep, make_voice

ENCODER = "libopencore_amrnb"
RATE_HZ, FRAME_SAMPLES = 8_000, 160
DELAY_SAMPLES = 50  # of the encoder: a muxer that can say it (3gp) writes an edit list
FOLDER = Path(__file__).parent / "encoded"
SOUNDS = {
    "sweep-3s.amr": lambda: make_sweep(3.0),
    "sweep-6s.amr": lambda: make_sweep(6.0),
    "voice-1s.amr": lambda: make_voice(1.0),
    "voice-3s.amr": lambda: make_voice(3.0),
    "voice-6s.amr": lambda: make_voice(6.0),
}
"""File of each sound in the folder, 12.2 kbit/s; `python -m tests.unit.amr_nb` writes them again with PyAV 18."""


def has_encoder() -> bool:
    """Whether this PyAV can encode AMR-NB."""
    return ENCODER in av.codecs_available and av.Codec(ENCODER, "w").is_encoder


def find_encoded(signal: Signal) -> bytes:
    """The stored AMR file of a sound.

    Raises:
        LookupError: none was stored; add the sound to SOUNDS.
    """
    for name, make in SOUNDS.items():
        sound = make()
        if len(sound) == len(signal) and np.allclose(sound, signal, atol=1e-5):
            return (FOLDER / name).read_bytes()
    raise LookupError(
        f"PyAV {av.__version__} encodes no AMR-NB, and of {len(signal)} samples only {sorted(SOUNDS)} lie in {FOLDER}"
    )


def put_into(muxer: str, signal: Signal, *, at_s: float = 0.0, gap_s: float = 0.0) -> bytes:
    """A stored sound in another container (`amr`, `3gp`, `mov`), as the encoder would have put it there.

    Time stamps from `at_s` on are later by `gap_s`; AMR files have none.
    """
    recording = find_encoded(signal)
    if muxer == "amr":
        return recording
    file = io.BytesIO()
    with av.open(io.BytesIO(recording)) as source, av.open(file, "w", format=muxer) as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.size:
                n_ticks = packet.pts or 0
                packet.duration = min(packet.duration or 0, len(signal) // 2 - n_ticks + DELAY_SAMPLES)
                shift = round(gap_s * RATE_HZ) if n_ticks >= at_s * RATE_HZ else 0
                packet.pts = packet.dts = n_ticks + shift - DELAY_SAMPLES
                packet.stream = stream
                target.mux(packet)
    return _set_packet_length(file.getvalue()) if muxer == "mov" else file.getvalue()


def _set_packet_length(recording: bytes) -> bytes:
    """Set the samples of a packet in QuickTime's description of the sound, which only an encoder tells the muxer."""
    at = recording.index(b"samr", recording.rindex(b"stsd")) + 32
    return recording[:at] + FRAME_SAMPLES.to_bytes(4, "big") + recording[at + 4 :]


if __name__ == "__main__":
    from tests.unit.recordings import encode_foreign

    for file_name, make_sound in SOUNDS.items():
        (FOLDER / file_name).write_bytes(encode_foreign("amr", ENCODER, make_sound(), RATE_HZ))
