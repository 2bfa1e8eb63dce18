"""Recordings in every codec, encoded in memory by soundfile, PyAV or by hand where neither can."""

from __future__ import annotations

import io
import struct
from typing import Any

import av
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from tests.unit import amr_nb
from tests.unit.sounds import RATE_HZ, Signal

AMR_WB_NO_DATA, AMR_WB_LOST = 0x7C, 0x74


def encode_native(kind: str, subtype: str, signal: NDArray[Any], rate_hz: int = RATE_HZ) -> bytes:
    """Encode with soundfile, a second at a time (its Vorbis writer crashes on long blocks)."""
    file = io.BytesIO()
    n_channels = 1 if signal.ndim == 1 else signal.shape[1]
    with soundfile.SoundFile(file, "w", rate_hz, n_channels, subtype, format=kind) as sound:
        for start in range(0, len(signal), rate_hz):
            sound.write(signal[start : start + rate_hz])
    return file.getvalue()


def encode_foreign(
    muxer: str, codec: str, signal: Signal, rate_hz: int, *, bit_rate: int | None = None, **options: str
) -> bytes:
    """Encode with PyAV; options are the muxer's. AMR-NB, where PyAV cannot, comes from `tests/unit/encoded`."""
    if codec == amr_nb.ENCODER and not amr_nb.has_encoder():
        return amr_nb.put_into(muxer, signal)
    file = io.BytesIO()
    with av.open(file, "w", format=muxer, options=options) as container:
        stream = container.add_stream(codec, rate=rate_hz)
        if bit_rate is not None:
            stream.bit_rate = bit_rate
        for packet in _encode_packets(stream, signal, rate_hz):
            container.mux(packet)
    return file.getvalue()


def encode_with_gap(
    muxer: str, codec: str, signal: Signal, rate_hz: int, *, at_s: float, gap_s: float, **options: str
) -> bytes:
    """Encode with PyAV, and let the time stamps jump from `at_s` on, as where nothing was sent."""
    if codec == amr_nb.ENCODER and not amr_nb.has_encoder():
        return amr_nb.put_into(muxer, signal, at_s=at_s, gap_s=gap_s)
    file = io.BytesIO()
    with av.open(file, "w", format=muxer, options=options) as container:
        stream = container.add_stream(codec, rate=rate_hz)
        packets = _encode_packets(stream, signal, rate_hz)
        begin, n_ticks = packets[0].pts, 0
        if begin is None:  # as of AAC, whose context knows the delay; that of AMR-NB does not
            begin = -(stream.codec_context.delay or 0)
        for packet in packets:
            shift = round(gap_s / packet.time_base) if n_ticks * packet.time_base >= at_s else 0
            packet.pts = packet.dts = begin + n_ticks + shift
            n_ticks += packet.duration
            container.mux(packet)
    return file.getvalue()


def encode_channels(muxer: str, codec: str, signal: NDArray[np.float32], rate_hz: int, layout: str) -> bytes:
    """Encode (n_samples, n_channels) with PyAV."""
    file = io.BytesIO()
    with av.open(file, "w", format=muxer) as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(signal.reshape(1, -1)), format="flt", layout=layout)
        frame.sample_rate, frame.pts = rate_hz, 0
        kind = stream.codec_context.codec.audio_formats[0].name
        for converted in av.AudioResampler(format=kind, layout=layout, rate=rate_hz).resample(frame):
            container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
    return file.getvalue()


def _encode_packets(stream: Any, signal: Signal, rate_hz: int) -> list[Any]:
    stream.layout = "mono"
    if "amr" in stream.name:
        stream.bit_rate = 12_200
    samples = signal if rate_hz == RATE_HZ else soxr.resample(signal, RATE_HZ, rate_hz)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[np.newaxis]), format="fltp", layout="mono")
    frame.sample_rate, frame.pts = rate_hz, 0
    fifo = av.AudioFifo()
    kind = stream.codec_context.codec.audio_formats[0].name
    for converted in av.AudioResampler(format=kind, layout="mono", rate=rate_hz).resample(frame):
        fifo.write(converted)
    packets = []
    n_samples = stream.codec_context.frame_size or 1024
    while (piece := fifo.read(n_samples) or fifo.read(0, partial=True)) is not None:
        packets += stream.encode(piece)
    return packets + list(stream.encode(None))


def encode_opus_in_caf(signal: Signal) -> bytes:
    """Write Opus in CAF by hand, as iMessage does: PyAV writes no variable packets into CAF."""
    with av.open(io.BytesIO(), "w", format="ogg") as container:
        packets = [
            bytes(packet) for packet in _encode_packets(container.add_stream("libopus", rate=48_000), signal, 48_000)
        ]
    table = struct.pack(">qqii", len(packets), 960 * len(packets), 0, 0)
    for packet in packets:
        size = len(packet)
        table += bytes([size]) if size < 128 else bytes([0x80 | size >> 7, size & 0x7F])
    description = struct.pack(">d4sIIIII", 48_000.0, b"opus", 0, 0, 960, 1, 0)
    sound = struct.pack(">I", 0) + b"".join(packets)
    chunks = [(b"desc", description), (b"pakt", table), (b"data", sound)]
    return b"caff\x00\x01\x00\x00" + b"".join(name + struct.pack(">q", len(body)) + body for name, body in chunks)


def make_speex(n_frames: int, seed: int = 0) -> bytes:
    """Write Ogg Speex by hand: narrow-band frames of 8 kbit/s with random parameters (Speex manual, 9 and A).

    The pages have no checksums yet.
    """
    rng = np.random.default_rng(seed)
    head = b"Speex   " + b"1.2".ljust(20, b"\0")
    head += struct.pack("<13i", 1, 80, 8_000, 0, 4, 1, -1, 160, 0, 1, 0, 0, 0)
    tags = struct.pack("<I", 4) + b"none" + struct.pack("<I", 0)
    frames = [bytes([0b00011000 | int(rng.integers(8))]) + rng.bytes(19) for _ in range(n_frames)]
    pages = [(2, 0, [head]), (0, 0, [tags])]
    pages += [(0, 160 * min(at + 50, n_frames), frames[at : at + 50]) for at in range(0, n_frames, 50)]
    recording = b""
    for number, (flags, position, packets) in enumerate(pages):
        recording += struct.pack("<4sBBQIIIB", b"OggS", 0, flags, position, 7, number, 0, len(packets))
        recording += bytes(map(len, packets)) + b"".join(packets)
    return recording


def make_amr_wb(n_frames: int) -> bytes:
    """Write AMR-WB by hand, whose encoder PyAV lacks: frames that say that nothing was sent (RFC 4867, 4.3.1)."""
    return b"#!AMR-WB\n" + bytes([AMR_WB_NO_DATA]) * n_frames


def make_amr_wb_speech(n_frames: int, seed: int = 0) -> bytes:
    """Write AMR-WB by hand: speech frames of 6.6 kbit/s (132 bits) with random parameters, which any decoder takes."""
    rng = np.random.default_rng(seed)
    frames = (bytes([0x04]) + rng.bytes(16) + bytes([rng.integers(16) << 4]) for _ in range(n_frames))
    return b"#!AMR-WB\n" + b"".join(frames)
