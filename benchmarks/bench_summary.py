"""What the steps of `make bench` come to: the figures that the goals are about, each with its goal and how far it is from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LIBROSA = "librosa.load, trim, webrtcvad, transformers pipeline"
PIPELINE = "transformers pipeline, DistilHuBERT float32"
WITH_COMMAS = 1_000


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure of `results.json`.

    Attributes:
        name: its key.
        text: what it is, with its baseline.
        path: keys below `steps`; a ratio or a time is the median of its turns.
        goal: what it shall reach; None where nothing is promised.
        floor: what is still good enough, the goal where None.
        is_less_better: a time or a size.
        unit: of it, empty for ratios.
    """

    name: str
    text: str
    path: tuple[str, ...]
    goal: float | None = None
    floor: float | None = None
    is_less_better: bool = False
    unit: str = ""


FIGURES = (
    Figure(
        name="ratio_end_to_end",
        text=f"notes in, scores out: processor time of {LIBROSA}, over ours",
        path=("end_to_end", "ratios", LIBROSA, "median"),
        goal=20.0,
        floor=14.0,
    ),
    Figure(
        name="ratio_decode",
        text="bytes to mono at 16 kHz: processor time of librosa.load, over ours",
        path=("decode", "ratios", "decode, librosa.load", "median"),
    ),
    Figure(
        name="ratio_model",
        text=f"a window of 8 s: processor time of {PIPELINE}, over ours",
        path=("model", "ratios", PIPELINE, "median"),
    ),
    Figure(
        name="share_of_limit",
        text="a window of 8 s: what its products would take at the rate of onnxruntime's int8 products of the same shapes, over what it takes",
        path=("limits", "share_of_limit", "median"),
        goal=0.5,
    ),
    Figure(
        name="decode_ms_per_audio_s",
        text="bytes of Opus to mono at 16 kHz, ms of processor time an audio second",
        path=("decode", "variants", "decode, Tonalog", "cpu_ms", "median"),
        goal=2.0,
        is_less_better=True,
        unit="ms",
    ),
    Figure(
        name="speech_ms_per_audio_s",
        text="finding speech, ms of processor time an audio second",
        path=("decode", "variants", "speech, Tonalog", "cpu_ms", "median"),
        goal=0.6,
        is_less_better=True,
        unit="ms",
    ),
    Figure(
        name="start_s",
        text="start of a worker's process to its first score",
        path=("start", "start_s"),
        goal=1.0,
        is_less_better=True,
        unit="s",
    ),
    Figure(
        name="start_cpu_s",
        text="the same in processor time, which a busy machine changes less",
        path=("start", "start_cpu_s"),
        goal=1.0,
        is_less_better=True,
        unit="s",
    ),
    Figure(
        name="parent_mib",
        text="memory of a worker's first process",
        path=("start", "parent_mib"),
        goal=150.0,
        is_less_better=True,
        unit="MiB",
    ),
    Figure(
        name="child_mib",
        text="what a pool process holds for itself alone, after a score",
        path=("start", "child_mib"),
        goal=60.0,
        is_less_better=True,
        unit="MiB",
    ),
    Figure(
        name="system_over_pipeline_15s",
        text="whole system (scan, Redis, PostgreSQL, S3, rows; 2 workers) over the bare pipeline, notes of 15 s",
        path=("system", "system_over_pipeline_15s"),
        goal=0.9,
    ),
    Figure(
        name="system_over_pipeline_2s",
        text="whole system over the bare pipeline, notes of 2 s",
        path=("system", "system_over_pipeline_2s"),
        goal=0.8,
    ),
    Figure(
        name="ledger_jobs_a_s_postgresql",
        text="jobs a second through Redis and PostgreSQL with nothing scored, 4 worker processes",
        path=("ledger", "postgresql_jobs_per_s"),
        goal=500.0,
    ),
    Figure(
        name="ledger_jobs_a_s_sqlite",
        text="jobs a second through a file queue and SQLite with nothing scored",
        path=("ledger", "sqlite_jobs_per_s"),
        goal=150.0,
    ),
)


def say_number(value: float, n_digits: int = 4) -> str:
    """Write a number with so many digits, and one from a thousand on in full.

    >>> say_number(0.12345), say_number(1106.2)
    ('0.1235', '1,106')
    """
    return f"{value:,.0f}" if abs(value) >= WITH_COMMAS else f"{value:.{n_digits}g}"


def find_figure(steps: Mapping[str, Any], path: tuple[str, ...]) -> float | None:
    """Return a figure of the steps; None where its step is missing or failed, or where it has no such figure.

    >>> find_figure({"start": {"start_s": 0.9}}, ("start", "start_s")), find_figure({}, ("start", "start_s"))
    (0.9, None)
    """
    found: Any = steps
    for key in path:
        if not isinstance(found, Mapping) or key not in found:
            return None
        found = found[key]
    return float(found) if isinstance(found, (int, float)) else None


def summarise(steps: Mapping[str, Any]) -> dict[str, float | None]:
    """Return each figure by its name."""
    return {figure.name: find_figure(steps, figure.path) for figure in FIGURES}


def judge(figure: Figure, value: float | None) -> str:
    """Say how a figure stands to its goal.

    >>> goal = Figure(name="start_s", text="", path=(), goal=1.0, is_less_better=True)
    >>> judge(goal, 0.8), judge(goal, 1.5), judge(goal, None)
    ('reached', 'missed by 50 %', 'not measured')
    """
    if value is None:
        return "not measured"
    if figure.goal is None:
        return "no goal"
    if _reaches(value, figure.goal, is_less_better=figure.is_less_better):
        return "reached"
    distance = f"{abs(value - figure.goal) / figure.goal:.0%}".replace("%", " %")
    if figure.floor is not None and _reaches(value, figure.floor, is_less_better=figure.is_less_better):
        return f"above the floor of {figure.floor:g}, short of the goal by {distance}"
    return f"missed by {distance}"


def _reaches(value: float, goal: float, *, is_less_better: bool) -> bool:
    return value <= goal if is_less_better else value >= goal
