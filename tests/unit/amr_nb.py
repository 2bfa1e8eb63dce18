"""AMR-NB, whose encoder PyAV has no more from release 19 on: where it is missing, what release 18 made of the same sounds."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np

from tests.unit.sounds import Signal, make_sweep, make_voice

ENCODER = "libopencore_amrnb"
DELAY_SAMPLES = 50  # of the encoder: a muxer that can say it (3gp) writes an edit list
FOLDER = Path(__file__).parent / "encoded"
SOUNDS = {
    "sweep-3s.amr": lambda: make_sweep(3.0),
    "sweep-6s.amr": lambda: make_sweep(6.0),
    "voice-1s.amr": lambda: make_voice(1.0),
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


def put_into(muxer: str, signal: Signal) -> bytes:
    """A stored sound in another container (`amr`, `3gp`), as the encoder would have put it there."""
    recording = find_encoded(signal)
    if muxer == "amr":
        return recording
    file = io.BytesIO()
    with av.open(io.BytesIO(recording)) as source, av.open(file, "w", format=muxer) as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.size:
                packet.pts = packet.dts = (packet.pts or 0) - DELAY_SAMPLES
                packet.duration = min(packet.duration or 0, len(signal) // 2 - packet.pts)
                packet.stream = stream
                target.mux(packet)
    return file.getvalue()


if __name__ == "__main__":
    from tests.unit.recordings import encode_foreign

    for file_name, make_sound in SOUNDS.items():
        (FOLDER / file_name).write_bytes(encode_foreign("amr", ENCODER, make_sound(), 8_000))
