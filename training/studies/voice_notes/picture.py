"""One picture of what windows and notes are called, as an SVG of bars; it measures nothing."""

from __future__ import annotations

from collections.abc import Sequence

from training.corpora import LABELS
from training.escaping import escape_html

COLOURS = {
    "anger": "#c0392b",
    "happiness": "#e1a92b",
    "neutral": "#8a9199",
    "sadness": "#2f6690",
    "no score": "#e6e6e6",
}
WIDTH, ROW, BAR, LEFT = 760, 26, 18, 230
Row = tuple[str, Sequence[float]]


def draw_bars(groups: Sequence[tuple[str, Sequence[Row]]]) -> str:
    """Draw stacked bars of shares.

    Args:
        groups: heading and rows of each part; a row has a name and shares of the four labels and of no score.

    Returns:
        The SVG as text.
    """
    y = 34
    body = [_draw_key()]
    for heading, rows in groups:
        y += 26
        body.append(f'<text x="8" y="{y}" font-weight="bold">{escape_html(heading)}</text>')
        y += 10
        for name, shares in rows:
            body += _draw_row(name, shares, y)
            y += ROW
    body.append(f'<path d="M{LEFT + 0.25 * (WIDTH - LEFT - 20):.0f} 40V{y}" stroke="#222" stroke-dasharray="3 3"/>')
    top = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 14}" font-family="sans-serif" font-size="13">'
    return "\n".join([top, '<rect width="100%" height="100%" fill="#fff"/>', *body, "</svg>", ""])


def _draw_key() -> str:
    parts = []
    for index, (name, colour) in enumerate(COLOURS.items()):
        x = LEFT + index * 100
        parts.append(
            f'<rect x="{x}" y="12" width="12" height="12" fill="{colour}"/><text x="{x + 17}" y="23">{name}</text>'
        )
    return "\n".join(parts)


def _draw_row(name: str, shares: Sequence[float], y: int) -> list[str]:
    parts = [f'<text x="{LEFT - 10}" y="{y + 14}" text-anchor="end">{escape_html(name)}</text>']
    x = float(LEFT)
    for label, share in zip((*LABELS, "no score"), shares, strict=True):
        width = share * (WIDTH - LEFT - 20)
        parts.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{COLOURS[label]}"/>')
        x += width
    return parts
