"""Write a summary as one page of HTML that needs no other file and no network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from config.escaping import escape_html
from training.measures.bootstrap import Interval
from training.measures.pictures import draw_arousal, draw_confusion, draw_f1_bars, draw_reliability
from training.measures.summary import Measure, Summary
from training.protocols import Protocol

POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # no script, no picture and no font from anywhere
TILES = ("UA", "WA", "macro F1", "ECE")
MEANINGS = {
    "UA": "unweighted accuracy: mean recall of the labels",
    "WA": "weighted accuracy: share guessed right",
    "macro F1": "mean F1 of the labels",
    "ECE": "calibration error of the top label, 15 bins",
}
WARNING = (
    "Speaker-dependent: the tested people were also trained on. These figures say nothing about strangers and are not to "
    "be presented as field accuracy."
)


def render_page(summary: Summary, *, title: str, protocol: Protocol) -> str:
    """Return the page.

    Args:
        summary: what to say.
        title: what was tested, for instance a model's name.
        protocol: that the predictions come from. One that depends on speakers opens the page with a warning.
    """
    scope = f"{summary.n_utterances} utterances, {summary.n_speakers} speakers, {len(summary.folds)} folds"
    sections = [
        f"<h1>{escape_html(title)}</h1>",
        f'<p class="lead"><b>{escape_html(protocol.name)}</b>: {escape_html(protocol.description)}. {scope}.</p>',
        "" if protocol.is_speaker_independent else f'<p class="warning">{WARNING}</p>',
        _render_tiles(summary),
        _render_labels(summary),
        _render_confusion(summary),
        _render_arousal(summary),
        _render_reliability(summary),
        _render_folds(summary),
    ]
    return wrap_page(title, sections)


def wrap_page(title: str, sections: Sequence[str]) -> str:
    """Return sections of HTML as one page in the style of all reports."""
    style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape_html(title)}</title><style>\n{style}</style></head>\n<body><main>\n{chr(10).join(sections)}\n"
        "</main></body></html>\n"
    )


def _render_tiles(summary: Summary) -> str:
    by_name = {measure.name: measure for measure in summary.measures}
    tiles = [
        f'<div class="tile"><span>{name}</span><b>{by_name[name].mean:.3f}{_render_deviation(by_name[name])}</b>'
        f"<span>{MEANINGS[name]}</span></div>"
        for name in TILES
    ]
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _render_deviation(measure: Measure) -> str:
    return "" if measure.deviation is None else f" <small>± {measure.deviation:.3f}</small>"


def _render_interval(interval: Interval | None) -> str:
    return "none" if interval is None else f"{interval.low:.3f} to {interval.high:.3f}"


def _render_labels(summary: Summary) -> str:
    rows = [
        (item.name, f"{item.mean:.3f}", _deviate(item), f"{item.pooled:.3f}", _render_interval(item.interval))
        for item in summary.measures
    ]
    bars = draw_f1_bars([item for item in summary.measures if item.name.startswith("F1 ")])
    head = ("", "mean of folds", "deviation", "pooled", "95 % interval")
    return (
        "<h2>F1 by label</h2><p class='note'>Mean over folds; the whisker is one standard deviation of folds.</p>"
        f'<figure class="wide">{bars}</figure>{render_table(head, rows)}'
        '<p class="note">The interval is of the pooled figure and comes from drawing whole speakers, since one speaker\'s '
        "utterances are no independent trials. ECE has none, as it does not add up over speakers.</p>"
    )


def _deviate(measure: Measure) -> str:
    return "none" if measure.deviation is None else f"{measure.deviation:.3f}"


def _render_confusion(summary: Summary) -> str:
    small = "".join(
        f"<figure>{draw_confusion(fold.confusion, summary.labels, is_small=True)}"
        f"<figcaption>{escape_html(fold.name)} · UA {fold.figures['UA']:.3f}</figcaption></figure>"
        for fold in summary.folds
    )
    many = f'<div class="small">{small}</div>' if len(summary.folds) > 1 else ""
    return (
        "<h2>Confusion</h2><p class='note'>Each row is one true label and sums to 100 %; the small number counts "
        "utterances. Below, in the same order of labels, percentages fold by fold.</p>"
        f"<figure>{draw_confusion(summary.confusion, summary.labels)}</figure>{many}"
    )


def _render_arousal(summary: Summary) -> str:
    result = summary.arousal
    if result is None:
        return ""
    return (
        "<h2>Arousal</h2>"
        f"<p>{result.within:.1%} of {result.n_errors} errors stay among loud emotions (anger, happiness) or among quiet ones "
        f"(neutral, sadness); 95 % interval by speaker {_render_interval(summary.arousal_interval)}. Errors spread evenly "
        f"would stay in {result.expected_within:.1%}. Arousal itself is right in {result.accuracy:.1%} of utterances.</p>"
        f'<figure class="wide">{draw_arousal(result)}</figure>'
    )


def _render_reliability(summary: Summary) -> str:
    return (
        "<h2>Calibration</h2><p class='note'>Predictions of equal confidence together. On the dashed line a model is as "
        "often right as it is sure; under it, it is too sure. A dot's area is its share of predictions.</p>"
        f"<figure>{draw_reliability(summary.reliability)}</figure>"
    )


def _render_folds(summary: Summary) -> str:
    names = [item.name for item in summary.measures]
    rows = [
        (fold.name, str(fold.n_speakers), str(fold.n_utterances), *(f"{fold.figures[name]:.3f}" for name in names))
        for fold in summary.folds
    ]
    return f"<h2>Fold by fold</h2>{render_table(('', 'speakers', 'utterances', *names), rows)}"


def render_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of plain text that scrolls where it is too wide."""
    top = "".join(f"<th>{escape_html(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape_html(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
