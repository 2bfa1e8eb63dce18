"""Draw a report's pictures as inline SVG whose colours the page's style sheet sets."""

from __future__ import annotations

from collections.abc import Sequence

from config.escaping import escape_html
from training.measures.arousal import Arousal
from training.measures.summary import Measure, ReliabilityBin

CELL_PX = 84
LABEL_PX = 92
HEAD_PX = 44
SMALL_CELL_PX = 38
NAME_PX = 130
IS_DARK_FROM = 0.78  # From this share on, light text has more contrast than dark text (WCAG 2.2, both about 4:1 there).


def draw_confusion(confusion: Sequence[Sequence[int]], labels: Sequence[str], *, is_small: bool = False) -> str:
    """Draw a confusion matrix: rows are the truth, a cell's depth is its share of the row.

    Args:
        confusion: counts, n_labels rows of n_labels.
        labels: their names.
        is_small: without names and counts, for one of many.
    """
    cell, left, top = (SMALL_CELL_PX, 0, 0) if is_small else (CELL_PX, LABEL_PX, HEAD_PX)
    side = cell * len(labels)
    parts: list[str] = []
    for i, row in enumerate(confusion):
        total = max(sum(row), 1)
        for j, n in enumerate(row):
            facts = f"{labels[i]} heard as {labels[j]}: {n} of {sum(row)}"
            parts.append(
                _draw_cell(left + j * cell, top + i * cell, cell, n / total, n, title=facts, is_small=is_small)
            )
    if not is_small:
        for i, label in enumerate(labels):
            parts.append(write_text(left - 10, top + (i + 0.5) * cell + 4, label, anchor="end"))
            parts.append(write_text(left + (i + 0.5) * cell, top - 10, label, anchor="middle"))
        parts.append(write_text(left + side / 2, 12, "guess", anchor="middle", kind="soft"))
        parts.append(write_text(0, 12, "truth ↓", kind="soft"))
    parts.append(f'<rect class="frame" x="{left}" y="{top}" width="{side}" height="{side}"/>')
    return frame_picture(left + side + 1, top + side + 1, "confusion matrix", parts)


def draw_f1_bars(measures: Sequence[Measure]) -> str:
    """Draw one bar a measure in [0, 1]: the mean over folds, with a whisker of one deviation to each side."""
    left, width, step = 110, 520, 40
    parts: list[str] = []
    for i, item in enumerate(measures):
        y = i * step + 6
        parts.append(write_text(left - 12, y + 16, item.name.removeprefix("F1 "), anchor="end"))
        parts.append(f'<rect class="track" x="{left}" y="{y}" width="{width}" height="22" rx="4"/>')
        parts.append(f'<rect class="bar" x="{left}" y="{y}" width="{item.mean * width:.1f}" height="22" rx="4"/>')
        if item.deviation is not None:
            low, high = (left + width * min(max(item.mean + s * item.deviation, 0.0), 1.0) for s in (-1, 1))
            parts.append(draw_line("whisker", (low, y + 11), (high, y + 11)))
            parts += [draw_line("whisker", (x, y + 6), (x, y + 16)) for x in (low, high)]
        spread = "" if item.deviation is None else f" ± {item.deviation:.3f}"
        parts.append(write_text(left + width + 12, y + 16, f"{item.mean:.3f}{spread}"))
    return frame_picture(left + width + 130, len(measures) * step, "F1 by label", parts)


def draw_arousal(arousal: Arousal) -> str:
    """Draw where errors go as one bar: within high arousal, within low arousal, across; a mark shows the even spread."""
    width, top, height = 760, 26, 46
    parts: list[str] = []
    x = label_x = 0.0
    for kind, share, name in (
        ("high", arousal.within_high, "within high"),
        ("low", arousal.within_low, "within low"),
        ("across", arousal.across, "across"),
    ):
        parts.append(
            f'<rect class="{kind}" x="{x:.1f}" y="{top}" width="{share * width:.1f}" height="{height}">'
            f"<title>{name}: {share:.1%} of errors</title></rect>"
        )
        parts.append(write_text(label_x, top + height + 18, f"{name} {share:.0%}"))
        x += share * width
        label_x = max(x, label_x + NAME_PX)  # a narrow part must not push its name into the next one
    mark = arousal.expected_within * width
    parts.append(draw_line("whisker", (mark, top - 6), (mark, top + height + 4)))
    parts.append(write_text(mark, 14, f"even spread {arousal.expected_within:.0%}", anchor="middle", kind="soft"))
    return frame_picture(width + NAME_PX, top + height + 26, "errors by arousal", parts)


def draw_reliability(bins: Sequence[ReliabilityBin]) -> str:
    """Draw how often predictions are right against how sure they are; a dot's area is its share of predictions."""
    side, left, top = 300, 48, 10
    total = max(sum(item.n_utterances for item in bins), 1)
    parts: list[str] = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = left + tick * side, top + (1 - tick) * side
        parts += [draw_line("grid", (left, y), (left + side, y)), draw_line("grid", (x, top), (x, top + side))]
        parts.append(write_text(left - 8, y + 4, f"{tick:.2f}", anchor="end", kind="soft"))
        parts.append(write_text(x, top + side + 18, f"{tick:.2f}", anchor="middle", kind="soft"))
    parts.append(draw_line("ideal", (left, top + side), (left + side, top)))
    for item in bins:
        x, y = left + item.confidence * side, top + (1 - item.accuracy) * side
        radius = 3 + 22 * (item.n_utterances / total) ** 0.5
        facts = f"sure {item.confidence:.2f}, right {item.accuracy:.2f}, {item.n_utterances} utterances"
        parts.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"><title>{facts}</title></circle>')
    parts.append(
        write_text(left + side / 2, top + side + 38, "confidence → share that is right ↑", anchor="middle", kind="soft")
    )
    return frame_picture(left + side + 24, top + side + 46, "reliability", parts)


def _draw_cell(x: float, y: float, size: float, share: float, n: int, *, title: str, is_small: bool) -> str:
    tone = " on" if share >= IS_DARK_FROM else ""
    drawn = (
        f'<rect class="cell" x="{x}" y="{y}" width="{size}" height="{size}" fill-opacity="{share:.3f}">'
        f"<title>{escape_html(title)}</title></rect>"
    )
    middle = x + size / 2
    if is_small:
        return drawn + write_text(
            middle, y + size / 2 + 4, f"{share:.0%}".rstrip("%"), anchor="middle", kind=f"count{tone}"
        )
    return (
        drawn
        + write_text(middle, y + size / 2 + 2, f"{share:.0%}", anchor="middle", kind=f"share{tone}")
        + write_text(middle, y + size / 2 + 19, str(n), anchor="middle", kind=f"count{tone}")
    )


def write_text(x: float, y: float, text: str, *, anchor: str = "start", kind: str = "") -> str:
    """Draw a text at a point; `anchor` is SVG's, `kind` a class of the style sheet."""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape_html(text)}</text>'


def draw_line(kind: str, start: tuple[float, float], end: tuple[float, float]) -> str:
    """Draw a line of one of the style sheet's classes."""
    return f'<line class="{kind}" x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"/>'


def frame_picture(width: float, height: float, name: str, parts: Sequence[str]) -> str:
    """Return a picture of a size in px, with a name for those who cannot see it."""
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    return f'<svg {size} role="img" aria-label="{escape_html(name)}">{"".join(parts)}</svg>'


STACK_COLOURS = ("#c0392b", "#e1a92b", "#8a9199", "#2f6690", "#e6e6e6")
STACK_WIDTH, STACK_ROW, STACK_BAR, STACK_LEFT = 760, 26, 18, 230


def draw_stacks(names: Sequence[str], groups: Sequence[tuple[str, Sequence[tuple[str, Sequence[float]]]]]) -> str:
    """Draw stacked bars of shares as a file of its own, with a dashed line at a quarter.

    Args:
        names: of the shares of a bar, at most five.
        groups: heading and rows of each part; a row has a name and one share for each of `names`.
    """
    width, y = STACK_WIDTH - STACK_LEFT - 20, 34
    body: list[str] = []
    for index, (name, colour) in enumerate(zip(names, STACK_COLOURS, strict=False)):
        left = STACK_LEFT + index * 100
        body.append(
            f'<rect x="{left}" y="12" width="12" height="12" fill="{colour}"/><text x="{left + 17}" y="23">{name}</text>'
        )
    for heading, rows in groups:
        y += 36
        body.append(f'<text x="8" y="{y - 10}" font-weight="bold">{escape_html(heading)}</text>')
        for name, shares in rows:
            body.append(f'<text x="{STACK_LEFT - 10}" y="{y + 14}" text-anchor="end">{escape_html(name)}</text>')
            x = float(STACK_LEFT)
            for share, colour in zip(shares, STACK_COLOURS, strict=False):
                body.append(
                    f'<rect x="{x:.1f}" y="{y}" width="{share * width:.1f}" height="{STACK_BAR}" fill="{colour}"/>'
                )
                x += share * width
            y += STACK_ROW
    body.append(f'<path d="M{STACK_LEFT + 0.25 * width:.0f} 40V{y}" stroke="#222" stroke-dasharray="3 3"/>')
    top = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {STACK_WIDTH} {y + 14}" font-family="sans-serif" font-size="13">'
    return "\n".join([top, '<rect width="100%" height="100%" fill="#fff"/>', *body, "</svg>", ""])
