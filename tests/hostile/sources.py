"""One short, valid recording of each codec that Tonalog takes, to be broken in every way."""

from __future__ import annotations

from collections.abc import Callable

from tests.hostile.mutate import repair_ogg_checksums
from tests.unit.recordings import encode_foreign, encode_native, encode_opus_in_caf, make_amr_wb_speech, make_speex
from tests.unit.sounds import Signal, make_voice

VOICE_S = 1.0


def make_sources() -> dict[str, bytes]:
    """Build the recordings.

    Returns:
        Name of the codec to the file's bytes.
    """
    voice = make_voice(VOICE_S)
    return {name: encode(voice) for name, encode in ENCODERS.items()}


ENCODERS: dict[str, Callable[[Signal], bytes]] = {
    "wav-pcm": lambda voice: encode_native("WAV", "PCM_16", voice),
    "wav-adpcm": lambda voice: encode_native("WAV", "IMA_ADPCM", voice),
    "aiff": lambda voice: encode_native("AIFF", "PCM_16", voice),
    "flac": lambda voice: encode_native("FLAC", "PCM_16", voice),
    "mp3": lambda voice: encode_native("MP3", "MPEG_LAYER_III", voice),
    "ogg-vorbis": lambda voice: encode_native("OGG", "VORBIS", voice),
    "ogg-opus": lambda voice: encode_foreign("ogg", "libopus", voice, 48_000),
    "m4a-aac": lambda voice: encode_foreign("ipod", "aac", voice, 44_100),
    "m4a-alac": lambda voice: encode_foreign("ipod", "alac", voice, 44_100),
    "aac": lambda voice: encode_foreign("adts", "aac", voice, 16_000),
    "webm-opus": lambda voice: encode_foreign("webm", "libopus", voice, 48_000),
    "3gp-amr": lambda voice: encode_foreign("3gp", "libopencore_amrnb", voice, 8_000),
    "amr-nb": lambda voice: encode_foreign("amr", "libopencore_amrnb", voice, 8_000),
    "amr-wb": lambda _voice: make_amr_wb_speech(50),
    "caf-opus": encode_opus_in_caf,
    "ogg-flac": lambda voice: encode_foreign("ogg", "flac", voice, 16_000),
    "ogg-speex": lambda _voice: repair_ogg_checksums(make_speex(50)),
    "wav-g726": lambda voice: encode_foreign("wav", "g726", voice, 8_000),
    "mp2": lambda voice: encode_foreign("mp2", "mp2", voice, 16_000),
    "aac-latm": lambda voice: encode_foreign("latm", "aac", voice, 16_000),
}
