"""The tables of `tonalog evaluate left-out` in Markdown: one of each bundle, and of several bundles side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.corpora import LABELS
from training.studies.left_out.baseline import KnownBaseline
from training.studies.left_out.calibrate import MAX_WRONG, CalibratedFigures, CalibrationReport
from training.studies.left_out.figures import LabelledFigures, OrdinaryFigures
from training.studies.left_out.judge import JudgedBundle
from training.tables import escape_cell, tabulate

Figures = LabelledFigures | OrdinaryFigures
NOTHING = "-"


@dataclass(frozen=True)
class Column:
    """One figure.

    Attributes:
        head: of its column.
        take: from figures to the value; None where there is none.
        worst: of several values.
        is_compared: whether it stands in the table of several bundles.
    """

    head: str
    take: Callable[[Any], float | None]
    worst: Callable[[Sequence[float]], float] = max
    is_compared: bool = True


def _take_recall(label: str) -> Callable[[LabelledFigures], float | None]:
    return lambda figures: figures.recalls.get(label)


LABELLED = (
    Column("UAR", lambda one: one.recall, min),
    Column("UAR of scored", lambda one: one.recall_of_scored, min, is_compared=False),
    *(Column(label, _take_recall(label), min, is_compared=False) for label in LABELS),
    Column("UAR as it is, judged notes", lambda one: one.baseline and one.baseline.as_it_is, min, is_compared=False),
    Column("UAR baseline, middle mix", lambda one: one.baseline and one.baseline.middle, min),
    Column("UAR baseline, bundle's rule", lambda one: one.baseline and one.baseline.own, min),
    Column("ECE", lambda one: one.calibration_error),
    Column("coverage", lambda one: one.coverage, min),
    Column("error", lambda one: one.error),
    Column("ECE, baseline", lambda one: one.baseline and one.baseline.calibration_error),
    Column("coverage, baseline", lambda one: one.baseline and one.baseline.coverage, min, is_compared=False),
    Column("error, baseline", lambda one: one.baseline and one.baseline.error, is_compared=False),
)
ORDINARY = (
    Column("neutral", lambda one: one.everything.neutral, min),
    Column("uncertain", lambda one: one.everything.uncertain),
    Column("certain, other", lambda one: one.everything.wrong),
    Column("no speech: VAD", lambda one: one.everything.vad, is_compared=False),
    Column("no speech: min_speech", lambda one: one.everything.short),
    Column("no speech: gate", lambda one: one.everything.gate),
    Column("words: neutral", lambda one: one.words.neutral, min, is_compared=False),
    Column("words: uncertain", lambda one: one.words.uncertain, is_compared=False),
    Column("words: certain, other", lambda one: one.words.wrong, is_compared=False),
    Column("words: VAD", lambda one: one.words.vad, is_compared=False),
    Column("words: min_speech", lambda one: one.words.short),
    Column("words: gate", lambda one: one.words.gate),
)


def format_report(judged: Sequence[JudgedBundle]) -> list[str]:
    """Return lines: the tables of each bundle, and of several bundles the tables that compare them.

    Args:
        judged: at least one, all on the same corpora.
    """
    names = [chr(ord("A") + place) if place < 26 else f"bundle {place}" for place in range(len(judged))]  # noqa: PLR2004
    lines: list[str] = []
    for name, bundle in zip(names, judged, strict=True):
        mark = f"{name}: " if len(judged) > 1 else ""
        lines += ["", f"## {mark}{bundle.name} ({escape_cell(bundle.folder)}, {bundle.sha256[:12]})", ""]
        trained = ", ".join(map(escape_cell, bundle.trained_on)) or "nothing that its manifest names"
        baseline = _describe_baseline(bundle.baseline)
        lines += [f"`uncertain_below` {bundle.uncertain_below:g}; trained on {trained}; {baseline}.", ""]
        for corpus, n in bundle.n_unjudged.items():
            lines += [f"Not judged: {n} rated recordings of {escape_cell(corpus)}, too few to have every label.", ""]
        lines += _format_labelled(bundle.labelled) if bundle.labelled else []
        lines += ["", *_format_ordinary(bundle.ordinary)] if bundle.ordinary else []
        lines += _format_calibration(bundle.calibration) if bundle.calibration else []
    if len(judged) > 1:
        lines += ["", "## Side by side", "", *_compare(names, judged)]
    return lines


def _describe_baseline(baseline: KnownBaseline | None) -> str:
    if baseline is None:
        return "no own baseline: neither its manifest nor --reference has a reference"
    if baseline.own is None:
        return f"reference of own baselines: {escape_cell(baseline.source)}, which it scored itself; its manifest has no rule"
    return f"reference of own baselines: its manifest's, with a rule of version {baseline.own.version}"


def _format_labelled(rows: Sequence[LabelledFigures]) -> list[str]:
    heads = ["labelled", "n", "speakers", "no scores", "UAR 95 %", "notes with baseline"]
    known = [[str(row.n), _count(row.n_speakers), str(row.n_unscored), _span(row), _count_judged(row)] for row in rows]
    return _format(heads, known, rows, LABELLED)


def _format_ordinary(rows: Sequence[OrdinaryFigures]) -> list[str]:
    heads = ["ordinary speech", "n", "speakers", "words"]
    known = [[str(row.everything.n), _count(row.n_speakers), str(row.words.n)] for row in rows]
    return _format(heads, known, rows, ORDINARY)


def _format(
    heads: list[str], known: Sequence[list[str]], rows: Sequence[Figures], columns: Sequence[Column]
) -> list[str]:
    body = [
        [_title(row, is_trained=row.is_trained), *cells, *(_print(column.take(row)) for column in columns)]
        for row, cells in zip(rows, known, strict=True)
    ]
    left_out = [row for row in rows if not row.is_trained]
    empty = [""] * (len(heads) - 1)
    summed = [
        [f"**mean of {len(left_out)} left out**", *empty, *(_print(_average(column, left_out)) for column in columns)],
        ["**worst**", *empty, *(_print(_find_worst(column, left_out)) for column in columns)],
    ]
    return tabulate([*heads, *(column.head for column in columns)], [*body, *summed]).split("\n")


def _compare(names: Sequence[str], judged: Sequence[JudgedBundle]) -> list[str]:
    lines = ["Mean and worst are over what none of them was trained on.", ""]
    labelled = [bundle.labelled for bundle in judged]
    ordinary = [bundle.ordinary for bundle in judged]
    lines += _compare_rows("labelled", names, labelled, LABELLED) if labelled[0] else []
    lines += ["", *_compare_rows("ordinary speech", names, ordinary, ORDINARY)] if ordinary[0] else []
    return lines


def _compare_rows(
    what: str, names: Sequence[str], figures: Sequence[Sequence[Figures]], columns: Sequence[Column]
) -> list[str]:
    """Return one table: the rows are corpora, and each figure has a column of each bundle."""
    compared = [column for column in columns if column.is_compared]
    corpora = list(zip(*figures, strict=True))
    left_out = [rows for rows in corpora if not any(row.is_trained for row in rows)]
    by_bundle = list(zip(*left_out, strict=True)) or [()] * len(names)
    heads = [what, *(f"{column.head} {name}" for column in compared for name in names)]
    body = [
        [
            _title(rows[0], is_trained=any(row.is_trained for row in rows)),
            *(_print(column.take(row)) for column in compared for row in rows),
        ]
        for rows in corpora
    ]
    mean = [_print(_average(column, rows)) for column in compared for rows in by_bundle]
    worst = [_print(_find_worst(column, rows)) for column in compared for rows in by_bundle]
    body += [[f"**mean of {len(left_out)} left out**", *mean], ["**worst**", *worst]]
    return tabulate(heads, body).split("\n")


def _format_calibration(report: CalibrationReport) -> list[str]:
    chosen = report.chosen
    limit = NOTHING if chosen.uncertain_below is None else f"{chosen.uncertain_below:.2f}"
    told = (
        f"Calibration: temperature {chosen.temperature:.3f} on top of the bundle's own; `uncertain_below` {limit}, the lowest confidence from "
        f"which on at most {MAX_WRONG:g} of ordinary speech is called something else with certainty and at most {report.max_error:g} of what is "
        "labelled with certainty is wrong (means over sets and corpora). Ordinary speech: coverage is what is certain, error what of it is not "
        "called neutral."
    )
    heads = ["calibrated", "temperature", "`uncertain_below`", "ECE", "coverage", "error", "certain and wrong"]
    inside = tabulate(heads, list(map(_format_calibrated, report.inside))).split("\n")
    lines = ["", told, "", *inside]
    if report.outside:
        outside = tabulate(heads, list(map(_format_calibrated, report.outside))).split("\n")
        lines += ["", "The same, each corpus with what all the others choose:", "", *outside]
    return lines


def _format_calibrated(row: CalibratedFigures) -> list[str]:
    limit = NOTHING if row.calibration.uncertain_below is None else f"{row.calibration.uncertain_below:.2f}"
    figures = (row.calibration_error, row.coverage, row.error, row.wrong)
    return [escape_cell(row.name), f"{row.calibration.temperature:.3f}", limit, *map(_print, figures)]


def _title(row: Figures, *, is_trained: bool) -> str:
    return escape_cell(row.name) + (" (trained on)" if is_trained else "")


def _average(column: Column, rows: Sequence[Figures]) -> float | None:
    values = _list_values(column, rows)
    return float(np.mean(values)) if values else None


def _find_worst(column: Column, rows: Sequence[Figures]) -> float | None:
    values = _list_values(column, rows)
    return column.worst(values) if values else None


def _list_values(column: Column, rows: Sequence[Figures]) -> list[float]:
    return [value for row in rows if (value := column.take(row)) is not None]


def _print(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"


def _count(number: int | None) -> str:
    return NOTHING if number is None else str(number)


def _count_judged(row: LabelledFigures) -> str:
    return NOTHING if row.baseline is None else str(row.baseline.n_judged)


def _span(row: LabelledFigures) -> str:
    return NOTHING if row.interval is None else f"{row.interval.low:.3f} to {row.interval.high:.3f}"
