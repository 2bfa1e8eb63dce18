"""`tonalog score`: files in, scores out, no database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from config.settings import Settings
from tonalog.bundles import default_bundle
from tonalog.process import ended_when_told, finish_what_is_written, loading
from tonalog.screen import say, say_json
from tonalog.sparkline import sparkline

_EPILOG = """\b
Examples:
  tonalog score note.ogg
  tonalog score --json *.m4a > scores.jsonl
"""


@click.command(name="score", epilog=_EPILOG)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--model", "model_dir", type=click.Path(path_type=Path), help="Bundle folder; default: the shipped one.")
@click.pass_context
def score_command(ctx: click.Context, files: tuple[Path, ...], *, as_json: bool, model_dir: Path | None) -> None:
    """Score each FILE; a bad one does not stop the others. Exit 1 if any failed."""
    with loading():
        from worker.scoring.bundle import load_bundle  # noqa: PLC0415 - heavy, and not for --help
        from worker.scoring.scorer import Scorer  # noqa: PLC0415

    settings = Settings.read()
    n_failed = 0
    with ended_when_told():
        bundle = load_bundle(model_dir or default_bundle(settings))
        scorer = Scorer(bundle, threads=settings.scorer_threads)
        model = {"name": bundle.manifest.name, "version": bundle.manifest.version}
        for file in files:
            row = {"file": str(file), **_score(file, scorer, settings), "model": model}
            n_failed += row["status"] == "failed"
            with finish_what_is_written():
                say_json(row) if as_json else say(_readable(row))
    ctx.exit(1 if n_failed else 0)


def _score(file: Path, scorer: Any, settings: Settings) -> dict[str, Any]:
    from worker.audio.errors import AudioError  # noqa: PLC0415
    from worker.limits import limits_of  # noqa: PLC0415
    from worker.scoring.bundle import BundleError  # noqa: PLC0415
    from worker.scoring.pipeline import score_recording  # noqa: PLC0415
    from worker.scoring.scorer import ScoringError  # noqa: PLC0415

    if _is_special(file):
        return _failed("UNREADABLE", f"{file} is a folder or a pipe, give files")  # a pipe would be waited for
    try:
        with file.open("rb") as opened:
            note = score_recording(opened, scorer, limits=limits_of(settings))
    except AudioError as error:
        code, message = error.reason.value, error.detail
    except ScoringError as error:
        code, message = "BAD_SCORES", str(error)
    except BundleError as error:
        code, message = "MODEL_UNAVAILABLE", str(error)
    except MemoryError:
        code, message = "MEMORY", f"{file} needs more memory than there is"
    except OSError as error:
        code, message = "UNREADABLE", f"{file}: {error.strerror or error}"
    else:
        return note_as_dict(note)
    return _failed(code, message)


def _is_special(file: Path) -> bool:
    """Whether there is a folder, a pipe or a device; where that cannot be told, opening the file says why."""
    try:
        return file.exists() and not file.is_file()
    except OSError:
        return False


def _failed(code: str, message: str) -> dict[str, Any]:
    return {
        "duration_ms": None,
        "speech_ms": None,
        "n_windows": 0,
        "status": "failed",
        "label": None,
        "confidence": None,
        "is_uncertain": None,
        "scores": None,
        "dimensions": {},
        "segments": [],
        "trend": None,
        "voice": {},
        "error": {"code": code, "message": message},
    }


def note_as_dict(note: Any) -> dict[str, Any]:
    """Return a note's scores as the JSON object that `tonalog score --json` prints."""
    from dataclasses import asdict  # noqa: PLC0415

    return {
        "duration_ms": note.duration_ms,
        "speech_ms": note.speech_ms,
        "n_windows": note.n_windows,
        "status": str(note.status),
        "label": note.label,
        "confidence": note.confidence,
        "is_uncertain": note.is_uncertain,
        "scores": dict(note.scores) or None,
        "dimensions": dict(note.dimensions),
        "segments": [
            {
                "start_ms": segment.start_ms,
                "end_ms": segment.end_ms,
                "speech_ms": segment.speech_ms,
                "scores": dict(segment.scores),
                "dimensions": dict(segment.dimensions),
            }
            for segment in note.segments
        ],
        "trend": {label: asdict(trend) for label, trend in note.trend.items()} or None,
        "voice": dict(note.voice),
        "error": None,
    }


def _readable(row: dict[str, Any]) -> str:
    if row["status"] == "failed":
        return f"{row['file']}: failed, {row['error']['code']}: {row['error']['message']}"
    length = f"{row['duration_ms'] / 1000:.1f} s, {row['speech_ms'] / 1000:.1f} s speech"
    if row["status"] == "no_speech":
        return f"{row['file']}: no speech ({length})"
    scores = "  ".join(f"{name} {value:.2f}" for name, value in (row["scores"] | row["dimensions"]).items())
    unsure = ", uncertain" if row["is_uncertain"] else ""
    line = sparkline([segment["scores"][row["label"]] for segment in row["segments"]])
    return f"{row['file']}: {row['label']}{unsure} ({length})  {scores}  {line}"
