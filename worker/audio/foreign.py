"""Read what libsndfile does not, or not well, with PyAV; never opens anything but the file it is handed.

FFmpeg's playlist formats open other files and its network protocols open connections. So it gets a file object
instead of a name, one demuxer chosen by magic bytes, an empty list of protocols, and only audio stream 0 is decoded.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, BinaryIO

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from numpy.typing import NDArray

from worker.audio.errors import AudioError, AudioReason
from worker.audio.formats import Container
from worker.audio.integrity import find_mp3_start
from worker.audio.source import Source

CODECS = frozenset(
    {
        *("aac", "aac_latm", "alac", "amrnb", "amr_nb", "libopencore_amrnb", "amrwb", "amr_wb", "libopencore_amrwb"),
        *("opus", "libopus", "vorbis", "flac", "mp3", "mp3float"),
        *("pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be", "pcm_f32le", "pcm_f32be"),
        *("pcm_mulaw", "pcm_alaw", "adpcm_ima_qt"),
    }
)
MAX_FRAME_SAMPLES = 1 << 20
"""A packet may not decode to more: 5 s at 192 kHz. An ALAC header may ask for 16 million, 512 MB at 8 channels, in a
file of 80 kB (24 November 2026). Real encoders stay under 65,536."""
PROBE_BYTES = 500_000
"""FFmpeg keeps the packets of the first 5 MB to look at them, and of 7 bytes each that was 390 MB
(24 November 2026)."""
PIECE_SAMPLES = 65_536
AMR_PAUSES = {
    "amrnb": (frozenset({8, 9, 10, 11, 15}), 8_000),
    "amrwb": (frozenset({9, 15}), 16_000),
}
"""Frame types that stand for 20 ms without speech, described or not sent (3GPP TS 26.101 and 26.201, table 1a), and the rate.
Phones send them in pauses, and FFmpeg's decoders refuse them."""
AMR_FRAMES_PER_S = 50
FULL_SCALE = {"u8": 128.0, "s16": 32768.0, "s32": 2147483648.0, "flt": 1.0, "dbl": 1.0}


class ForeignReader:
    """One file, open in PyAV.

    Attributes:
        sampling_rate_hz: of the first decoded frame (a header can name half the rate of what HE-AAC decodes to).
        n_channels: of the first decoded frame.
    """

    def __init__(self, file: BinaryIO, container: Container, demuxer: str) -> None:
        """Open the file and decode its first frame.

        Args:
            file: seekable.
            container: what the file is.
            demuxer: PyAV's name of the one format to open it with.

        Raises:
            AudioError: UNSUPPORTED_CODEC, NOT_AUDIO or DECODE_ERROR.
            MemoryError: FFmpeg found none.
            Exception: what reading the file raises passes through.
        """
        self._name = container.value
        self._promised_samples = self._read_promise(file) if container is Container.FLAC else 0
        self._source = Source(file, start=find_mp3_start(file) if container is Container.MP3 else 0)
        self._container = self._open(demuxer)
        self._stream = self._choose_stream(self._container)
        self._stream.codec_context.options = {"max_samples": str(MAX_FRAME_SAMPLES)}
        self._frames = self._decode()
        self._first = next(self._frames, None)
        if self._first is None:
            raise self._refuse("holds no audio that decodes")
        self.sampling_rate_hz = self._first.sample_rate
        self.n_channels = self._first.layout.nb_channels

    def read_blocks(self) -> Iterator[NDArray[np.float32]]:
        """Read to the end.

        The last packet may be damaged, as in a recording that was stopped hard; any other may not.

        Yields:
            float32 (n_frames, n_channels), full scale 1.

        Raises:
            AudioError: DECODE_ERROR, or TRUNCATED where a FLAC file holds fewer samples than its header says.
            MemoryError: FFmpeg found none.
            Exception: what reading the file raises passes through.
        """
        frame = self._first
        n_samples = 0
        while frame is not None:
            if frame.sample_rate != self.sampling_rate_hz or frame.layout.nb_channels != self.n_channels:
                raise self._refuse(
                    f"changes from {self.sampling_rate_hz} Hz and {self.n_channels} channels to "
                    f"{frame.sample_rate} Hz and {frame.layout.nb_channels} channels"
                )
            n_samples += frame.samples
            yield from _convert(frame)
            frame = next(self._frames, None)
        if n_samples < self._promised_samples:
            raise AudioError(
                AudioReason.TRUNCATED,
                f"the {self._name} header promises {self._promised_samples} samples and the file holds {n_samples}",
            )

    def close(self) -> None:
        """Let go of the decoder; the file stays open."""
        self._frames.close()
        self._container.close()

    def _refuse(self, what: str, reason: AudioReason = AudioReason.DECODE_ERROR) -> AudioError:
        return AudioError(reason, f"the {self._name} file {what}")

    def _open(self, demuxer: str) -> InputContainer:
        options = {
            "protocol_whitelist": "",
            "format_whitelist": demuxer,
            "probesize": str(PROBE_BYTES),
            "max_samples": str(MAX_FRAME_SAMPLES),
        }
        try:
            return av.open(self._source, mode="r", format=demuxer, options=options)
        except MemoryError:
            raise
        except (av.FFmpegError, ValueError) as error:
            self._source.check()
            raise self._refuse(f"cannot be opened: {error}") from error

    def _choose_stream(self, container: InputContainer) -> AudioStream:
        if not container.streams.audio:
            raise self._refuse("has no audio in it", AudioReason.NOT_AUDIO)
        stream = container.streams.audio[0]
        name = getattr(stream.codec_context, "name", "an unknown codec")  # no context where FFmpeg has no decoder
        if name not in CODECS:
            raise self._refuse(f"holds {name}, allowed are {', '.join(sorted(CODECS))}", AudioReason.UNSUPPORTED_CODEC)
        return stream

    def _read_promise(self, file: BinaryIO) -> int:
        """Read the number of samples in FLAC's STREAMINFO, 0 if it does not say (RFC 9639, section 8.2)."""
        here = file.tell()
        file.seek(8 + 13)
        promised = int.from_bytes(file.read(5), "big") & (1 << 36) - 1
        file.seek(here)
        return promised

    def _decode(self) -> Generator[AudioFrame]:
        damage: av.FFmpegError | None = None
        try:
            for packet in self._container.demux(self._stream):
                if damage is not None and packet.size:
                    raise self._refuse(f"has a damaged packet: {damage}") from damage
                try:
                    frames = self._make_pause(packet) or packet.decode()
                except MemoryError:
                    raise
                except av.FFmpegError as error:
                    damage = error
                    continue
                self._source.check()
                yield from (frame for frame in frames if frame.samples)
            self._source.check()
        except MemoryError:
            raise
        except av.FFmpegError as error:
            self._source.check()
            raise self._refuse(f"cannot be decoded: {error}") from error

    def _make_pause(self, packet: Packet[AudioStream]) -> list[AudioFrame]:
        """Make silence of an AMR frame that says that nothing was spoken, else nothing."""
        types, rate_hz = AMR_PAUSES.get(self._stream.codec_context.name, (frozenset(), 0))
        if not packet.size or memoryview(packet)[0] >> 3 & 15 not in types:
            return []
        silence = np.zeros((1, rate_hz // AMR_FRAMES_PER_S), dtype=np.float32)
        frame = AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate = rate_hz
        return [frame]


def _convert(frame: AudioFrame) -> Iterator[NDArray[np.float32]]:
    """Convert a frame of any sample format piece by piece, float32 (n_frames, n_channels)."""
    name = frame.format.name
    n_channels = frame.layout.nb_channels
    samples: NDArray[Any] = np.asarray(frame.to_ndarray())
    block = samples.T if frame.format.is_planar else samples.reshape(-1, n_channels)
    middle = 128.0 if name.startswith("u8") else 0.0
    for start in range(0, len(block), PIECE_SAMPLES):
        signal: NDArray[np.float64] = block[start : start + PIECE_SAMPLES].astype(np.float64)
        yield ((signal - middle) / FULL_SCALE[name.removesuffix("p")]).astype(np.float32)
