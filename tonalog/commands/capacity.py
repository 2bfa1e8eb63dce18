"""`tonalog capacity`: how many workers, and what else, a night of so much audio needs."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import click

from config.settings import Settings
from db import Engine
from db.batch_progress import measure_bytes_per_result, measure_speed
from db.capacity import NoteFacts, read_note_facts
from tonalog.capacity import BUSY_SHARE, LEAST_RESULTS, Demand, Measured, Need, Setup, size
from tonalog.errors import TonalogError
from tonalog.screen import say, say_json
from tonalog.session import open_database

_EPILOG = """\b
Examples:
  tonalog capacity --hours-per-night 500 --window 6h
  tonalog capacity --hours-per-night 500 --window 6h --note-s 15 --measure examples/notes
"""
_DEFAULT_NOTE_S = 15.0
_MEASURE_S = 5.0
_UNITS_S = {"m": 60, "h": 3600}
_LEAST_WINDOW_S, _MOST_WINDOW_S = 60, 24 * 3600


class _Window(click.ParamType[float]):
    name = "HOURSh"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read a length such as 6h or 90m, as seconds."""
        match = re.fullmatch(r"(\d{1,4}(?:\.\d{1,3})?)([hm])", str(value), re.ASCII)
        seconds = float(match[1]) * _UNITS_S[match[2]] if match else 0.0
        if not _LEAST_WINDOW_S <= seconds <= _MOST_WINDOW_S:
            self.fail(f"{value!r} is no window: give hours or minutes from 1m to 24h, such as 6h", param, ctx)
        return seconds


@click.command(name="capacity", epilog=_EPILOG)
@click.option(
    "--hours-per-night", "hours", type=click.FloatRange(0.01, 10_000_000), required=True, help="Hours of audio a night."
)
@click.option("--window", "window_s", type=_Window(), default="6h", show_default=True, help="How long the night is.")
@click.option("--note-s", type=click.FloatRange(0.1, 14_400), help="Seconds of a recording; default: as measured.")
@click.option(
    "--measure",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Score this folder's recordings here, for some seconds, instead of asking the database for the speed.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def capacity_command(
    *, hours: float, window_s: float, note_s: float | None, folder: Path | None, as_json: bool
) -> None:
    """Say how many processes, workers and cores, how much memory, disk and Redis a night needs, and what limits it.

    All figures come from what was measured: the newest jobs of this database, or --measure. Where nothing was, it says
    unknown. A process of another machine may be faster or slower.
    """
    settings = Settings.read()
    engine = open_database(settings)
    facts = read_note_facts(engine)
    mean_s = None if facts.mean_duration_ms is None else facts.mean_duration_ms / 1000
    demand = Demand(hours=hours, window_s=window_s, note_s=note_s or mean_s or _DEFAULT_NOTE_S)
    said_note = "as given" if note_s else "as measured" if mean_s else "assumed: nothing is scored yet"
    measured, said_speed = _measure(settings, engine, facts, folder)
    need = size(demand, measured, _read_setup(settings, engine))
    if as_json:
        say_json(_describe(demand, measured, need))
    else:
        _say(demand, measured, need, said_note=said_note, said_speed=said_speed)


def _measure(settings: Settings, engine: Engine, facts: NoteFacts, folder: Path | None) -> tuple[Measured, str]:
    if folder is not None:
        audio_s, wall_s = _score(settings, folder)
        speed, said = audio_s / wall_s, f"measured here: {audio_s:.0f} s of audio in {wall_s:.1f} s"
    elif (newest := measure_speed(engine)) is not None:
        speed, said = newest.audio_per_wall, f"measured on the newest {newest.n_jobs} jobs of this database"
    else:
        speed, said = None, "nothing is scored yet: --measure FOLDER times recordings of yours"
    has_enough = facts.n_results >= LEAST_RESULTS
    measured = Measured(
        audio_per_wall=speed,
        bytes_per_result=measure_bytes_per_result(engine) if has_enough else None,
        peak_rss_kib=facts.peak_rss_kib,
    )
    return measured, said


def _score(settings: Settings, folder: Path) -> tuple[float, float]:
    """Score recordings of a folder, again and again, for some seconds; give seconds of audio and of work."""
    from tonalog.bundles import default_bundle  # noqa: PLC0415 - loads the audio stack
    from worker.audio import decode  # noqa: PLC0415
    from worker.audio.errors import AudioError  # noqa: PLC0415
    from worker.limits import limits_of  # noqa: PLC0415
    from worker.scoring.bundle import load_bundle  # noqa: PLC0415
    from worker.scoring.pipeline import score_recording  # noqa: PLC0415
    from worker.scoring.scorer import Scorer  # noqa: PLC0415

    decode.preload()
    scorer = Scorer(load_bundle(default_bundle(settings)), threads=settings.scorer_threads)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    audio_s, begin_s = 0.0, time.perf_counter()
    while time.perf_counter() - begin_s < _MEASURE_S:
        for path in paths:
            try:
                with path.open("rb") as file:
                    audio_s += score_recording(file, scorer, limits=limits_of(settings)).duration_ms / 1000
            except AudioError:
                continue
            if time.perf_counter() - begin_s > _MEASURE_S:
                break
        if audio_s == 0:
            raise TonalogError(f"no recording of {folder} can be scored, so nothing can be measured.")
    return audio_s, time.perf_counter() - begin_s


def _read_setup(settings: Settings, engine: Engine) -> Setup:
    return Setup(
        n_processes=settings.worker_concurrency,
        cores_a_process=settings.scorer_threads,
        queue_cap=settings.queue_cap,
        is_sqlite=engine.dialect.name == "sqlite",
    )


def _describe(demand: Demand, measured: Measured, need: Need) -> dict[str, Any]:
    return {
        "hours_per_night": demand.hours,
        "window_s": demand.window_s,
        "note_s": demand.note_s,
        "audio_per_wall": measured.audio_per_wall,
        "bytes_per_result": measured.bytes_per_result,
        **{name: getattr(need, name) for name in Need.__dataclass_fields__},
    }


def _say(demand: Demand, measured: Measured, need: Need, *, said_note: str, said_speed: str) -> None:
    speed = measured.audio_per_wall
    few = f"unknown: it takes {LEAST_RESULTS} results to tell"
    night = need.night_bytes
    say(
        f"{demand.hours:g} h of audio a night in {demand.window_s / 3600:g} h:",
        f"  recordings  {need.n_notes} of {demand.note_s:.1f} s ({said_note}), {need.notes_per_s:.1f} a second",
        f"  speed       {'unknown' if speed is None else f'{speed:.1f} s of audio a second and process'} ({said_speed})",
        f"  processes   {_or_unknown(need.n_processes)}, busy {BUSY_SHARE:.0%} of the window",
        f"  workers     {_or_unknown(need.n_workers)} with TONALOG_WORKER_CONCURRENCY as it is here",
        f"  cores       {_or_unknown(need.n_cores)}",
        f"  memory      {_gigabytes(need.memory_bytes) or 'unknown'} for all workers",
        f"  database    {few if night is None else f'{_gigabytes(night)} a night, {_gigabytes(night * 365)} a year'}",
        f"  Redis       at most {need.queue_bytes / 1e6:.0f} MB of messages",
    )
    for limit in need.limits or ("none of those that are known",):
        say(f"  limit       {limit}")


def _or_unknown(n: int | None) -> str:
    return "unknown" if n is None else str(n)


def _gigabytes(n_bytes: float | None) -> str | None:
    return None if n_bytes is None else f"{n_bytes / 1e9:.1f} GB"
