"""Read with FFmpeg through PyAV; never opens anything but the file it is handed.

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

from worker.audio.container.frames import find_last_mpeg
from worker.audio.container.parts import Container, Part
from worker.audio.decoders.clock import Clock, make_silence
from worker.audio.decoders.frames import FrameJoiner
from worker.audio.decoders.interface import Block, open_source
from worker.audio.errors import AudioError, AudioReason

CODECS = frozenset(
    {
        *("aac", "aac_latm", "alac", "amrnb", "amr_nb", "libopencore_amrnb", "amrwb", "amr_wb", "libopencore_amrwb"),
        *("opus", "libopus", "vorbis", "flac", "mp3", "mp3float", "mp2", "mp2float", "speex"),
        *("pcm_u8", "pcm_s8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be"),
        *("pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be", "pcm_mulaw", "pcm_alaw"),
        *(
            "adpcm_yamaha",
            "adpcm_ima_qt",
            "adpcm_ima_wav",
            "adpcm_ms",
            "adpcm_g722",
            "g722",
            "g726",
            "g726le",
            "adpcm_g726",
        ),
        *("gsm", "gsm_ms", "qcelp", "evrc", "ilbc", "libilbc"),
    }
)
_LENIENT: dict[str, Any] = {} if int(av.__version__.partition(".")[0]) >= 19 else {"metadata_errors": "ignore"}  # noqa: PLR2004
"""Tags need not be UTF-8. PyAV 19 takes any bytes for a tag and no longer knows the argument."""
MAX_FRAME_SAMPLES = 1 << 20
"""A packet may not decode to more: 5 s at 192 kHz. An ALAC header may ask for 16 million, 512 MB at 8 channels, in a
file of 80 kB. Real encoders stay under 65,536."""
TRIED_MIB = 64
"""FFmpeg says that it found no memory where it found none, and where a header asks for more than its own limits allow. Who
finds so much memory right afterwards was not short of it; no recorder's file needs that at once to be opened."""
PROBE_BYTES = 500_000
"""FFmpeg keeps the packets of the first 5 MB to look at them, and of 7 bytes each that was 390 MB."""
AMR_PAUSES = {
    "amrnb": (frozenset({8, 9, 10, 11, 15}), 8_000),
    "amrwb": (frozenset({9, 15}), 16_000),
}
"""Frame types that stand for 20 ms without speech, described or not sent (3GPP TS 26.101 and 26.201, table 1a), and the rate.
Phones send them in pauses, and FFmpeg's decoders refuse them."""
AMR_FRAMES_PER_S = 50
NO_PACKETS = frozenset({Container.WAV, Container.W64})
OF_PACKETS = frozenset({"vorbis", "aac", "opus", "libopus", "flac", "alac"})
"""WAV does not say where a packet ends, so that what FFmpeg makes of these codecs there is nothing."""
STAMPED = frozenset({Container.OGG, Container.MP4, Container.MATROSKA, Container.FLAC})
"""Containers whose time stamps say where sound is missing."""
TOLERATED_LOSS_S = 0.25
TOLERATED_LOSS_SHARE = 0.02
TOLERATED_LOSS_SHARE_OF_SHORT = 0.1
"""So much of a recording may be damaged and is silence then; one packet always may."""
MAX_LOST_AT_ONCE = 100
MAX_REST_BYTES = 1 << 20
"""Of a packet in which a frame is looked for: FFmpeg makes one of all that is none, and copies of it add up."""


class FfmpegDecoder:
    """One part of a file, open in FFmpeg."""

    def __init__(self, file: BinaryIO, part: Part, *, demuxer: str) -> None:
        """Open it.

        Args:
            file: seekable.
            part: what of it is read.
            demuxer: FFmpeg's name of the one format to open it with.

        Raises:
            AudioError: UNSUPPORTED_CODEC, NOT_AUDIO or DECODE_ERROR.
            MemoryError: FFmpeg found none.
            Exception: what reading the file raises passes through.
        """
        self._part = part
        self._name = part.container.value
        self._clock = Clock(part.clock_from_s, part.fill_to_s)
        self._source = open_source(file, part)
        self._container = self._open(demuxer)
        try:
            self._stream = self._choose_stream(self._container)
        except BaseException:
            self._container.close()
            raise
        # Asked once: of a decoder that has met damage, PyAV 19 reads the name from memory that is no longer its own.
        self._codec = self._stream.codec_context.name
        self._stream.codec_context.options = {"max_samples": str(MAX_FRAME_SAMPLES), **self._choose_checks()}
        self._frame_s = 0.0  # how long the last frame was, for one that is lost

    def read_blocks(self) -> Iterator[Block]:
        """Read to the end, as `Decoder` says.

        Little that is damaged is silence of its length; the time stamps say where sound is missing.
        """
        joiner = FrameJoiner()
        for piece in self._read_pieces():
            if isinstance(piece, Block):
                yield from joiner.flush()
                yield piece
            else:
                yield from joiner.take(piece)
        yield from joiner.flush()

    def close(self) -> None:
        """Let go of the decoder; the file stays open."""
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
            opened: InputContainer = av.open(self._source, mode="r", format=demuxer, options=options, **_LENIENT)
        except MemoryError as error:
            self._source.check()
            if not _has_memory():
                raise
            raise self._refuse(f"asks for more streams, or more memory at once, than {TRIED_MIB} MiB") from error
        except (av.FFmpegError, ValueError) as error:
            self._source.check()
            raise self._refuse(f"cannot be opened: {error}") from error
        return opened

    def _choose_stream(self, container: InputContainer) -> AudioStream:
        if not container.streams.audio:
            raise self._refuse("has no audio in it", AudioReason.NOT_AUDIO)
        stream = container.streams.audio[0]
        name = getattr(stream.codec_context, "name", "an unknown codec")  # no context where FFmpeg has no decoder
        allowed = CODECS - OF_PACKETS if self._part.container in NO_PACKETS else CODECS
        if name not in allowed:
            raise self._refuse(f"holds {name}, allowed are {', '.join(sorted(allowed))}", AudioReason.UNSUPPORTED_CODEC)
        return stream

    def _choose_checks(self) -> dict[str, str]:
        """Let FFmpeg compare checksums where it does not by itself: what is damaged in FLAC would be a burst of noise."""
        return {"err_detect": "crccheck+explode"} if self._codec == "flac" else {}

    def _read_pieces(self) -> Generator[Block | AudioFrame]:
        """Decode packet by packet, with blocks of silence where the clock runs on or a packet is lost."""
        loss = _Loss()
        kind: tuple[int, int] | None = None
        is_stamped = self._part.container in STAMPED
        for frame in self._decode(loss):
            if isinstance(frame, float):
                if kind is not None:
                    self._clock.at_s += frame
                    yield from make_silence(frame, *kind)
                continue
            kind = frame.sample_rate, frame.layout.nb_channels
            if is_stamped and (stamp_s := frame.time) is not None:
                gap_s = self._clock.measure_gap_s(stamp_s)
                if gap_s:
                    self._clock.at_s += gap_s
                    yield from make_silence(gap_s, *kind)
            self._frame_s = frame.samples / kind[0]
            self._clock.at_s += self._frame_s
            yield frame
        if kind is None:
            raise self._refuse("holds no audio that decodes")
        if loss.n_packets > 1 and loss.seconds > _tolerate_loss_s(self._clock.at_s):
            raise self._refuse(
                f"has {loss.n_packets} damaged packets, {loss.seconds:.1f} s of {self._clock.at_s:.1f} s: {loss.error}"
            ) from loss.error

    def _decode(self, loss: _Loss) -> Generator[AudioFrame | float]:
        """Decode to frames, and to seconds for what is lost."""
        n_good = 0
        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = self._make_pause(packet) or packet.decode()
                except MemoryError:
                    raise
                except av.FFmpegError as error:
                    self._source.check()
                    if not packet.size:
                        continue  # the decoder is asked for what it holds back
                    lost_s = float(packet.duration * packet.time_base) if packet.duration else self._frame_s
                    loss.add(error, lost_s)
                    if loss.n_packets > max(MAX_LOST_AT_ONCE, n_good):
                        raise self._refuse(f"has {loss.n_packets} damaged packets: {error}") from error
                    yield lost_s
                    frames = self._decode_rest(packet)
                self._source.check()
                n_good += bool(frames)
                yield from (frame for frame in frames if frame.samples)
            self._source.check()
        except MemoryError:
            raise
        except (av.FFmpegError, ValueError) as error:  # PyAV 19 says by a ValueError that the decoder cannot be opened
            self._source.check()
            raise self._refuse(f"cannot be decoded: {error}") from error

    def _decode_rest(self, packet: Packet[AudioStream]) -> list[AudioFrame]:
        """Decode the MP3 frame behind one whose header is damaged: FFmpeg makes one packet of both."""
        is_near = self._part.container is Container.MP3 and packet.size <= MAX_REST_BYTES
        content = bytes(memoryview(packet)) if is_near else b""
        at = find_last_mpeg(content)
        if at < 0:
            return []
        try:
            return list(self._stream.codec_context.decode(av.Packet(content[at:])))
        except MemoryError:
            raise
        except (av.FFmpegError, ValueError):
            return []

    def _make_pause(self, packet: Packet[AudioStream]) -> list[AudioFrame]:
        """Make silence of an AMR frame that says that nothing was spoken, else nothing."""
        if self._codec not in AMR_PAUSES:
            return []
        types, rate_hz = AMR_PAUSES[self._codec]
        if not packet.size or memoryview(packet)[0] >> 3 & 15 not in types:
            return []
        silence = np.zeros((1, rate_hz // AMR_FRAMES_PER_S), dtype=np.float32)
        frame = AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate = rate_hz
        return [frame]


def _has_memory() -> bool:
    """Whether there is memory now."""
    try:
        bytearray(TRIED_MIB << 20)
    except MemoryError:
        return False
    return True


class _Loss:
    """What could not be decoded."""

    def __init__(self) -> None:
        self.error: av.FFmpegError | None = None
        self.n_packets = 0
        self.seconds = 0.0

    def add(self, error: av.FFmpegError, seconds: float) -> None:
        """Count one packet."""
        self.error = self.error or error
        self.n_packets += 1
        self.seconds += seconds


def _tolerate_loss_s(duration_s: float) -> float:
    return max(TOLERATED_LOSS_SHARE * duration_s, min(TOLERATED_LOSS_S, TOLERATED_LOSS_SHARE_OF_SHORT * duration_s))
