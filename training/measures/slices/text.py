"""Say in Markdown what was found about groups, as the command prints it and the model card repeats it."""

from __future__ import annotations

from collections.abc import Sequence

from config.escaping import escape_markdown
from training.measures.bootstrap import COVERAGE, Interval
from training.measures.slices.records import Difference, Figure, Slice, SliceReport, Spread
from training.tables import tabulate

FEW = 10  # With fewer speakers a percentile interval is noticeably too narrow (by the root of 1 - 1/n, and skewed).
PROTOCOL = (
    "Protocol: {n_utterances} utterances of {n_speakers} speakers, each scored by a model that did not train on its speaker; "
    "UA is pooled over a group's utterances. Intervals are of 95 % (percentile bootstrap) and draw whole speakers {n_draws} "
    "times, each group by itself, seed {seed}. Corrected intervals (Bonferroni) hold for all {n_comparisons} comparisons "
    "together. Groups of under {min_speakers} speakers are left out ({n_too_few} here), since their figures would "
    'be of persons; "few" marks groups of under {few}, whose intervals come out too narrow. Uncertain means a '
    "confidence under {uncertain_below:.2f}; where that limit was chosen on these same predictions, it flatters the errors "
    "of everybody, not the difference of groups."
)
CAVEAT = (
    "A difference says that these actors' emotions are recovered less often, not why: how well the actors played, who "
    "listens well to whom, and the model are one figure here. No difference seen does not mean none: the intervals say how "
    "large one may still be. They hold these heads fixed: another seed of the training is not in them."
)


def write_protocol(report: SliceReport, *, min_speakers: int) -> str:
    """Return how the figures came about."""
    return PROTOCOL.format(
        n_utterances=report.whole.n_utterances,
        n_speakers=report.whole.n_speakers,
        n_draws=report.n_draws,
        seed=report.seed,
        n_comparisons=len(report.differences),
        min_speakers=min_speakers,
        few=FEW,
        n_too_few=report.n_too_few,
        uncertain_below=report.uncertain_below,
    )


def list_slices(report: SliceReport) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return head and rows: one group a row, everybody first."""
    measures, labels = list(report.whole.figures), list(report.whole.recalls)
    head = ("group", "speakers", "utterances", *measures, *(f"recall {label}" for label in labels))
    rows = [
        (
            name_slice(item),
            f"{item.n_speakers}{' (few)' if item.n_speakers < FEW else ''}",
            str(item.n_utterances),
            *(_say_figure(item.figures[measure]) for measure in measures),
            *(f"{item.recalls[label]:.3f}" for label in labels),
        )
        for item in (report.whole, *report.slices)
    ]
    return head, rows


def list_differences(report: SliceReport) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return head and rows: one comparison a row."""
    head = ("measure", "groups", "difference", "95 % interval", "corrected interval", "0 left out")
    rows: list[tuple[str, ...]] = [
        (
            item.measure,
            _name_pair(item),
            f"{item.value:+.3f}",
            _say_interval(item.interval, "+.3f"),
            _say_interval(item.corrected, "+.3f"),
            "by both" if item.is_clear_corrected else "by the 95 % one only" if item.is_clear else "no",
        )
        for item in report.differences
    ]
    return head, rows


def list_spread(spread: Spread) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return head and one row: UA over speakers."""
    head = ("", *(f"{share:.0%}".replace("%", " %") for share in spread.quantiles))
    return head, [("UA that this share of speakers stays under", *(f"{ua:.3f}" for ua in spread.quantiles.values()))]


def conclude(report: SliceReport) -> str:
    """Return which differences are more than chance, in words."""
    corrected = [item for item in report.differences if item.is_clear_corrected]
    plain = [item for item in report.differences if item.is_clear and not item.is_clear_corrected]
    n = len(report.differences)
    if n == 0:
        return "No two groups had enough speakers to be compared."
    held = f"Differences that hold after correction: {len(corrected)} of {n}{_list(corrected)}."
    hinted = f" By the uncorrected 95 % interval only, a hint and no finding: {len(plain)}{_list(plain)}."
    chance = f" If no groups differed, about {n * (1 - COVERAGE):.1f} of {n} uncorrected intervals would leave out 0."
    return held + hinted + chance


def explain_spread(spread: Spread) -> str:
    """Return how much of the spread over speakers is more than counting."""
    return (
        f"From speaker to speaker UA deviates by {spread.deviation:.3f}; if all were equally hard, the number of utterances "
        f"alone would make it {spread.chance:.3f}."
    )


def write_markdown(report: SliceReport, *, min_speakers: int) -> str:
    """Return protocol, tables and conclusion."""
    return "\n\n".join(
        (
            write_protocol(report, min_speakers=min_speakers),
            _tabulate(*list_slices(report)),
            _tabulate(*list_differences(report)),
            escape_markdown(conclude(report)),
            _tabulate(*list_spread(report.spread)),
            explain_spread(report.spread),
            CAVEAT,
        )
    )


def name_slice(item: Slice) -> str:
    """Return a group's name with its attribute."""
    return item.name if item.name == item.attribute else f"{item.attribute}: {item.name}"


def _name_pair(item: Difference) -> str:
    return f"{item.attribute}: {item.first} less {item.second}"


def _say_interval(interval: Interval, form: str) -> str:
    return f"{interval.low:{form}} to {interval.high:{form}}"


def _say_figure(figure: Figure) -> str:
    return f"{figure.value:.3f} ({_say_interval(figure.interval, '.3f')})"


def _list(differences: Sequence[Difference]) -> str:
    if not differences:
        return ""
    return ": " + "; ".join(f"{item.measure}, {_name_pair(item)} {item.value:+.3f}" for item in differences)


def _tabulate(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return tabulate([*map(escape_markdown, head)], [[*map(escape_markdown, row)] for row in rows])
