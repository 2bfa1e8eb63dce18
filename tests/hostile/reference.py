"""What the `ffmpeg` command makes of a file: what kind it is, and how many seconds of its first audio stream play.

It is another build than the one in PyAV, it chooses the demuxer by itself, and it goes on behind damage: whatever it
plays is there. The file's name is hidden from it, since it would believe `.mp3`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.hostile.levels import Levels

RATE_HZ = 16_000
READ_BYTES = 1 << 20
MISREAD_BELOW = 25
"""FFmpeg's own word for a guess it is not sure of (AVPROBE_SCORE_RETRY): text and noise pass for MP3 with a score of 1."""

ESTIMATED = b"Estimating duration from bitrate"


@dataclass(frozen=True)
class Reference:
    """What the commands said.

    Attributes:
        kind: demuxer and codec of the first audio stream, as in `ogg/opus`; a missing part is `?`.
        score: of 100, how sure the demuxer is.
        has_audio: whether an audio stream was found.
        promised_s: what the container says the stream lasts, 0 where it does not say.
        played_s: seconds of samples that were decoded.
        levels_db: of each tenth of these seconds.
    """

    kind: str
    score: int
    has_audio: bool
    promised_s: float
    played_s: float
    levels_db: tuple[int, ...] = ()

    @property
    def is_audio(self) -> bool:
        """Whether this is audio and not text or noise that happens to look like it."""
        return self.has_audio and self.score >= MISREAD_BELOW


def is_installed() -> bool:
    """Tell whether both commands are there."""
    return all(shutil.which(command) for command in ("ffmpeg", "ffprobe"))


def play(path: Path, *, limit_s: float = 60.0) -> Reference:
    """Look at a file and decode its first audio stream.

    Args:
        path: of the file.
        limit_s: of each command; what was decoded by then counts.
    """
    with tempfile.TemporaryDirectory() as folder:
        nameless = Path(folder) / "recording"
        nameless.symlink_to(path.resolve())
        found = _probe(nameless, limit_s)
        streams, container = found.get("streams", []), found.get("format", {})
        codec = streams[0].get("codec_name") or streams[0].get("codec_tag_string") if streams else None
        played = _decode(nameless, limit_s) if streams else Levels()
        return Reference(
            kind=f"{container.get('format_name', '?').split(',')[0]}/{codec or '?'}",
            score=int(container.get("probe_score", 0)),
            has_audio=bool(streams),
            promised_s=_read_promise(streams[0] if streams else {}, container),
            played_s=played.n_samples / RATE_HZ,
            levels_db=played.read(),
        )


def _probe(path: Path, limit_s: float) -> dict[str, Any]:
    asked = ["-select_streams", "a:0", "-show_entries", "format=format_name,probe_score,duration"]
    asked += ["-show_entries", "stream=codec_name,codec_tag_string,duration", "-of", "json"]
    try:
        done = subprocess.run(
            ["ffprobe", "-v", "warning", *asked, str(path)], capture_output=True, timeout=limit_s, check=False
        )
        found: dict[str, Any] = json.loads(done.stdout or b"{}")
    except (subprocess.TimeoutExpired, json.JSONDecodeError):  # where it dies, it leaves half of its answer
        return {}
    if ESTIMATED in done.stderr:
        for one in (found.get("format", {}), *found.get("streams", [])):
            one.pop("duration", None)
    return found


def _read_promise(stream: dict[str, str], container: dict[str, str]) -> float:
    return max(0.0, float(stream.get("duration") or container.get("duration") or 0.0))


def _decode(path: Path, limit_s: float) -> Levels:
    """Decode to 16 kHz mono."""
    wanted = ["-map", "0:a:0", "-ac", "1", "-ar", str(RATE_HZ), "-f", "f32le", "pipe:1"]
    command = ["timeout", str(limit_s), "ffmpeg", "-nostdin", "-v", "quiet", "-i", str(path), *wanted]
    levels = Levels()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        while content := process.stdout.read(READ_BYTES):
            levels.feed(np.nan_to_num(np.frombuffer(content[: len(content) // 4 * 4], dtype="<f4")))
    return levels
