"""Figures of a person: days with their own baseline and recent level, which notes there are, and mixes of scores."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from pictures.axes import (
    DayScale,
    Scale,
    choose_ticks,
    draw_day_axis,
    draw_value_axis,
    say_day,
    say_number,
    say_score,
    score_ticks,
)
from pictures.marks import Figure, Mark, Plot, dot, line, path, rect, words
from pictures.person import Measure, Mix, PersonPage
from pictures.person_words import say_level, say_name, say_state
from pictures.voice_words import say_tick
from trends import Day, TrendState, find_measure

WIDTHS = (880, 336)  # px: of a desk and of a telephone
_LEFT = 40
_BAR = 17  # px of a bar with the gap below it
_COUNTS = ("scored", "uncertain", "silent", "failed", "pending")


def draw_measure(measure: Measure, page: PersonPage, *, width: int) -> Figure:
    """Draw the days of one measure; the page has some."""
    plot = Plot(left=_LEFT, right=width - 8, top=26 if measure.trend.shift else 8, bottom=238)
    scale = _day_scale(page, plot)
    levels = _level_scale(measure, plot)
    marks = _draw_band(measure, scale, levels, plot)
    marks += _draw_levels(measure, levels, plot)
    marks += draw_day_axis(scale, plot)
    marks += _draw_model_changes(measure, scale, plot)
    marks += _draw_dots(measure, scale, levels)
    marks += _draw_chart(measure, scale, levels, plot)
    marks += _draw_recent(measure, scale, levels)
    marks += _draw_shift(measure, scale, plot)
    return Figure(
        name=f"{measure.name.replace('_', '-')}-{width}",
        title=f"{say_name(measure.name)} of {page.subject}, day by day",
        text=f"{say_name(measure.name)}: {say_state(measure, page.settings)} The table beneath has each day.",
        width=width,
        height=264,
        marks=tuple(marks),
    )


def draw_coverage(page: PersonPage, *, width: int) -> Figure:
    """Draw how many notes there are on each day, and what became of them."""
    plot = Plot(left=_LEFT, right=width - 8, top=8, bottom=62)
    scale = _day_scale(page, plot)
    most = max([sum(count_notes(day).values()) for day in page.days] or [1])
    counts = Scale(first=0, last=max(most, 1), start=plot.bottom, end=plot.top)
    ticks = [0, most] if most > 1 else [0, 1]
    marks = draw_value_axis(counts, plot, ticks, say=say_number)
    gap = min(scale.width * 0.15, 1.5)
    for day in page.days:
        n_below = 0
        for kind, n in count_notes(day).items():
            if n:
                edge = scale.edge(day.day)
                title = f"{say_day(day.day)}: {n} {kind}"
                corners = (edge + gap, counts(n_below), edge + scale.width - gap, counts(n_below + n))
                marks.append(rect(f"note {kind}", *corners, title=title))
                n_below += n
    marks += draw_day_axis(scale, plot)
    totals = {kind: sum(count_notes(day)[kind] for day in page.days) for kind in _COUNTS}
    text = ", ".join(f"{n} {kind}" for kind, n in totals.items() if n) or "no notes"
    n_days = (scale.last - scale.first).days + 1
    return Figure(
        name=f"coverage-{width}",
        title="Notes of each day, by what became of them",
        text=f"{text}; {n_days - len(page.days)} of {n_days} days are without a note.",
        width=width,
        height=86,
        marks=tuple(marks),
    )


def draw_mix(mix: Mix, *, width: int) -> Figure:
    """Draw the mean scores of the recent notes: what is unusual for the person above what the model hears."""
    rows = {"relative": mix.relative, "heard": mix.scores}
    shown = {kind: scores for kind, scores in rows.items() if scores is not None}
    step = _BAR * len(shown) + 10
    plot = Plot(left=92 if width > WIDTHS[1] else 82, right=width - 44, top=4, bottom=0)
    scale = Scale(first=0, last=1, start=plot.left, end=plot.right)
    marks: list[Mark] = []
    for place, label in enumerate(mix.scores):
        top = plot.top + place * step
        marks.append(words("label", 0, top + _BAR * len(shown) / 2 + 3, label))
        for row, (kind, scores) in enumerate(shown.items()):
            y, score = top + row * _BAR, scores.get(label, 0.0)
            end = max(scale(score), plot.left + 1)
            marks.append(rect(kind, plot.left, y, end, y + _BAR - 3, title=f"{label}, {kind} {score:.2f}"))
            marks.append(words("tick", end + 5, y + _BAR - 5.5, f"{score:.2f}".removeprefix("0")))
    listed = "; ".join(
        f"{label} " + ", ".join(f"{scores.get(label, 0.0):.2f} {kind}" for kind, scores in shown.items())
        for label in mix.scores
    )
    return Figure(
        name=f"mix-{width}",
        title="Mean scores of the notes",
        text=listed,
        width=width,
        height=len(mix.scores) * step + 2,
        marks=tuple(marks),
    )


def count_notes(day: Day) -> dict[str, int]:
    """Return the notes of a day by what became of them, each note once."""
    values = (day.n_scored - day.n_uncertain, day.n_uncertain, day.n_no_speech, day.n_failed, day.n_pending)
    return dict(zip(_COUNTS, values, strict=True))


def _day_scale(page: PersonPage, plot: Plot) -> DayScale:
    first = page.days[0].day if page.days else page.as_of
    return DayScale(first=min(first, page.as_of), last=page.as_of, start=plot.left, end=plot.right)


def _level_scale(measure: Measure, plot: Plot) -> Scale:
    trend = measure.trend
    shown = [(day.level, day.error or 0.0) for day in measure.days if day.level is not None]
    values = [level + side * error for level, error in shown for side in (-1, 1)]
    if trend.baseline is not None:
        values += [trend.baseline.mean - trend.baseline.sd, trend.baseline.mean + trend.baseline.sd]
    values += [value for point in trend.chart for value in (point.low, point.high)]
    if trend.recent is not None and trend.baseline is not None:
        values += [trend.baseline.mean + trend.recent.low, trend.baseline.mean + trend.recent.high]
    low, high = (min(values), max(values)) if values else (-1.0, 1.0)
    margin = max((high - low) * 0.06, find_measure(measure.name).smallest_sd if measure.is_of_voice else 0.05)
    return Scale(first=low - margin, last=high + margin, start=plot.bottom, end=plot.top)


def _draw_levels(measure: Measure, levels: Scale, plot: Plot) -> list[Mark]:
    """Draw the axis of the levels: its ticks are round scores, or round values of a measure of the voice."""
    if not measure.is_of_voice:
        return draw_value_axis(levels, plot, score_ticks(), say=say_score)
    known = find_measure(measure.name)
    values = choose_ticks(known.from_level(levels.first), known.from_level(levels.last))
    texts = {known.to_level(value): say_tick(measure.name, value) for value in values}
    return draw_value_axis(levels, plot, list(texts), say=texts.__getitem__)


def _draw_band(measure: Measure, scale: DayScale, levels: Scale, plot: Plot) -> list[Mark]:
    baseline = measure.trend.baseline
    if baseline is None:
        return []
    low, high = levels(baseline.mean - baseline.sd), levels(baseline.mean + baseline.sd)
    first, last = _keep_within(scale, baseline.first_day, baseline.last_day)
    begin, end = scale.edge(first), scale.edge(last) + scale.width
    return [
        rect("band", begin, low, plot.right, high, title="usual: mean and standard deviation of the baseline's days"),
        rect("band-own", begin, low, end, high, title="the days that made the baseline"),
        line("usual", begin, levels(baseline.mean), plot.right, levels(baseline.mean)),
    ]


def _draw_dots(measure: Measure, scale: DayScale, levels: Scale) -> list[Mark]:
    marks: list[Mark] = []
    radius = max(min(scale.width * 0.32, 3.4), 1.6)
    for day in sorted(measure.days, key=lambda one: one.day):
        if day.level is None or not scale.first <= day.day <= scale.last:
            continue
        x, y = scale(day.day), levels(day.level)
        if day.error is not None:
            marks.append(line("error", x, levels(day.level - day.error), x, levels(day.level + day.error)))
        is_other = day.model != measure.trend.model
        title = f"{say_day(day.day)}: {say_level(day.level, measure.name)}, {day.n_scored} scored"
        marks.append(dot("day other" if is_other else "day", x, y, radius=radius, title=title))
    return marks


def _draw_chart(measure: Measure, scale: DayScale, levels: Scale, plot: Plot) -> list[Mark]:
    inside = [point for point in measure.trend.chart if scale.first <= point.day <= scale.last]
    if len(inside) < 2:  # noqa: PLR2004 - a line has two ends
        return []
    marks = []
    for kind, name in (("limit", "low"), ("limit", "high"), ("average", "average")):
        places = [(scale(point.day), levels(getattr(point, name))) for point in inside]
        marks.append(path(kind, [(x, min(max(y, plot.top), plot.bottom)) for x, y in places]))
    return marks


def _draw_recent(measure: Measure, scale: DayScale, levels: Scale) -> list[Mark]:
    recent, baseline = measure.trend.recent, measure.trend.baseline
    if recent is None or baseline is None:
        return []
    first, last = _keep_within(scale, recent.first_day, recent.last_day)
    begin, end = scale.edge(first), scale.edge(last) + scale.width
    low, high = levels(baseline.mean + recent.low), levels(baseline.mean + recent.high)
    level = levels(recent.level)
    return [
        rect("recent-interval", begin, low, end, high, title="interval of the recent level"),
        line("recent", begin, level, end, level, title=f"recent level {say_level(recent.level, measure.name)}"),
    ]


def _draw_shift(measure: Measure, scale: DayScale, plot: Plot) -> list[Mark]:
    shift = measure.trend.shift
    if shift is None or not scale.first <= shift.since <= scale.last:
        return []
    x = scale.edge(shift.since)
    direction = "up" if measure.trend.state is TrendState.SHIFTED_UP else "down"
    is_right = x > (plot.left + plot.right) / 2
    text = f"{direction} since about {say_day(shift.since)}"
    place = x - 6 if is_right else x + 6
    return [
        line("shift", x, plot.top - 16, x, plot.bottom, title=text),
        words("shift-text", place, plot.top - 8, text, anchor="end" if is_right else "start"),
    ]


def _draw_model_changes(measure: Measure, scale: DayScale, plot: Plot) -> list[Mark]:
    marks: list[Mark] = []
    for day, model in find_model_changes(measure.days):
        if scale.first <= day <= scale.last:
            x = scale.edge(day)
            is_right = x > (plot.left + plot.right) / 2
            marks.append(line("model", x, plot.top, x, plot.bottom, title=f"{model} from {say_day(day)} on"))
            anchor = "end" if is_right else "start"
            marks.append(words("model-text", x - 6 if is_right else x + 6, plot.bottom - 6, model, anchor=anchor))
    return marks


def find_model_changes(days: Sequence[Day]) -> list[tuple[date, str]]:
    """Return the first day of each model but the first."""
    first: dict[str, date] = {}
    for day in days:
        if day.level is not None:
            first[day.model] = min(first.get(day.model, day.day), day.day)
    ordered = sorted((day, model) for model, day in first.items())
    return ordered[1:]


def _keep_within(scale: DayScale, first: date, last: date) -> tuple[date, date]:
    kept = max(first, scale.first)
    return kept, max(min(last, scale.last), kept - timedelta(days=1))
