"""What poses as a recording is refused with its reason, and nothing but the file itself is ever opened for it."""

from __future__ import annotations

import gzip
import io
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from tests.hostile.arena import Arena
from tests.hostile.bombs import make_mp4
from tests.hostile.canary import FileCanary, WebCanary
from tests.hostile.sources import make_sources

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the file canary needs inotify")
SOURCES = make_sources()
AAC_FRAME = SOURCES["aac"][:7]
HEADS = {
    "nothing": b"",
    "an ID3 tag": b"ID3\x04\x00\x00\x00\x00\x00\x00",
    "an MP3 frame": SOURCES["mp3"][:400],
    "an AAC frame": AAC_FRAME,
    "AMR": b"#!AMR\n",
    "FLAC": SOURCES["flac"][:90],
    "WAV": SOURCES["wav-pcm"][:44],
    "AIFF": SOURCES["aiff"][:60],
    "Ogg": SOURCES["ogg-opus"][:47],
    "WebM": SOURCES["webm-opus"][:60],
    "MP4": SOURCES["m4a-aac"][:40],
    "CAF": SOURCES["caf-opus"][:60],
}
REASONS = {"NOT_AUDIO", "DECODE_ERROR", "TRUNCATED", "UNSUPPORTED_CODEC"}


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    with Arena() as running:
        for source in SOURCES.values():  # what is loaded at its first use is loaded now
            running.judge(source)
        yield running


@pytest.fixture
def web() -> Iterator[WebCanary]:
    with WebCanary() as canary:
        yield canary


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[FileCanary]:
    with FileCanary(tmp_path / "canary.ts") as canary:
        yield canary


def make_playlists(web: WebCanary, secret: FileCanary) -> dict[str, bytes]:
    urls = (secret.path.as_uri(), str(secret.path), f"{web.url}/canary.ts", f"concat:{secret.path}")
    host, port = web.url.removeprefix("http://").split(":")
    lists = {
        "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n"
        + "".join(f"#EXTINF:10,\n{url}\n" for url in urls)
        + "#EXT-X-ENDLIST\n",
        "ffconcat": "ffconcat version 1.0\n" + "".join(f"file '{url}'\n" for url in urls),
        "SDP": f"v=0\no=- 0 0 IN IP4 {host}\ns=x\nc=IN IP4 {host}\nt=0 0\nm=audio {port} TCP 0\n",
        "DASH": f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet '
        f'mimeType="audio/mp4"><Representation id="1" bandwidth="1"><BaseURL>{web.url}/canary.mp4</BaseURL>'
        f"</Representation></AdaptationSet></Period></MPD>",
        "PLS": f"[playlist]\nNumberOfEntries=1\nFile1={web.url}/canary.ts\n",
        "RTSP": f"RTSPtext rtsp://{host}:{port}/x\n",
    }
    return {name: text.encode() for name, text in lists.items()}


@pytest.mark.parametrize("head", HEADS)
def test_a_playlist_is_refused_whatever_it_begins_with_and_nothing_in_it_is_opened(
    head: str, arena: Arena, web: WebCanary, secret: FileCanary
) -> None:
    for name, playlist in make_playlists(web, secret).items():
        verdict = arena.judge(HEADS[head] + playlist)

        # a second of sound may be in front of it: then that is what is scored
        assert verdict.ended in REASONS | ({"no_speech"} if head in ("an MP3 frame", "WAV") else set()), (name, verdict)
        assert verdict.touched == [], name
    assert web.n_hits == 0
    assert not secret.was_touched()


def test_a_movie_whose_sound_is_elsewhere_is_refused_and_nothing_is_fetched(
    arena: Arena, web: WebCanary, secret: FileCanary
) -> None:
    for url in (f"{web.url}/canary.mp4", secret.path.as_uri(), str(secret.path)):
        verdict = arena.judge(make_mp4(data_url=url.encode(), codec=b"sowt", times=[(1000, 1)]))

        assert verdict.ended in REASONS | {"no_speech"}, verdict
        assert verdict.touched == []
    assert web.n_hits == 0
    assert not secret.was_touched()


def test_the_canaries_see_what_an_unguarded_decoder_does(tmp_path: Path, web: WebCanary, secret: FileCanary) -> None:
    playlist = tmp_path / "list.m3u8"
    playlist.write_bytes(make_playlists(web, secret)["m3u8"])
    options = {"protocol_whitelist": "file,http,tcp", "allowed_extensions": "ALL", "extension_picky": "0"}

    with pytest.raises(av.FFmpegError):  # there is no sound in what it finds
        av.open(str(playlist), options=options)
    with pytest.raises(av.FFmpegError):
        av.open(f"{web.url}/canary.ts")

    assert secret.was_touched()
    assert web.n_hits > 0


def make_zip(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("note.wav", content)
    return file.getvalue()


NO_RECORDINGS = {
    "no bytes": (b"", "ZERO_BYTES"),
    "a zip of a recording": (make_zip(SOURCES["wav-pcm"]), "NOT_AUDIO"),
    "a gzip of a recording": (gzip.compress(SOURCES["wav-pcm"]), "NOT_AUDIO"),
    "a tar of zeros": (bytes(10_240), "NOT_AUDIO"),
    "a 7z archive": (b"7z\xbc\xaf\x27\x1c" + bytes(100), "NOT_AUDIO"),
    "a web page": (b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>", "NOT_AUDIO"),
    "a JPEG": (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(1000), "NOT_AUDIO"),
    "a program": (b"\x7fELF\x02\x01\x01" + bytes(1000), "NOT_AUDIO"),
    "JSON": (b'{"error": "no such note"}', "NOT_AUDIO"),
    "a Windows recording": (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(1000), "UNSUPPORTED_CODEC"),
    "four letters of a WAV file": (b"RIFF", "NOT_AUDIO"),
    "half an uploaded WAV file": (SOURCES["wav-pcm"][:16_000], "TRUNCATED"),
    "half an uploaded M4A file": (SOURCES["m4a-aac"][: len(SOURCES["m4a-aac"]) // 2], "TRUNCATED"),
    "half an uploaded WebM file": (SOURCES["webm-opus"][: len(SOURCES["webm-opus"]) // 2], "TRUNCATED"),
    "half an uploaded FLAC file": (SOURCES["flac"][: len(SOURCES["flac"]) // 2], "TRUNCATED"),
}


@pytest.mark.parametrize("name", NO_RECORDINGS)
def test_what_is_no_whole_recording_gets_its_reason(name: str, arena: Arena) -> None:
    content, reason = NO_RECORDINGS[name]

    verdict = arena.judge(content)

    assert verdict.ended == reason, verdict
    assert verdict.touched == []
