"""Draw the results of `make bench`: bars of chains and of models, with the machine named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from benchmarks.bench_summary import say_number

WIDTH_PX, BAR_PX, GAP_PX, LEFT_PX, RIGHT_PX = 920, 22, 10, 410, 130
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 15px }
.ours { fill: #0b6e99 }
.other { fill: #9aa7b3 }
.spread { stroke: #24292f; stroke-width: 1.5 }
.ground { fill: #ffffff }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .ours { fill: #4fb3d9 }
  .other { fill: #5d6874 }
  .spread { stroke: #e6edf3 }
  .ground { fill: #0d1117 }
}
"""


def draw(results: Mapping[str, Any]) -> str:
    """Return an SVG of what was measured; a step without figures has no bars."""
    steps, parts, top = results["steps"], [], 34
    for title, bars in _panels(steps):
        parts.append(f'<text class="title" x="16" y="{top}">{escape(title)}</text>')
        top += 14
        parts += _draw_bars(bars, top)
        top += len(bars) * (BAR_PX + GAP_PX) + 34
    machine, load = results["machine"], results["load"]
    where = f"{machine['cpu']}, one of {machine['cores']} cores, load {load['start']:.1f} to {load['end']:.1f}"
    parts.append(f'<text x="16" y="{top}">{escape(where)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH_PX} {top + 20}" width="{WIDTH_PX}" height="{top + 20}" '
        f'role="img" aria-label="Speed against other chains and models"><style>{STYLE}</style>'
        f'<rect class="ground" width="100%" height="100%"/>{"".join(parts)}</svg>\n'
    )


def _panels(steps: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Mapping[str, float]]]]:
    if rates := steps.get("end_to_end", {}).get("audio_s_per_core_s"):
        yield "Audio seconds scored a core second (more is better)", rates
    if models := steps.get("model", {}).get("variants"):
        yield "Processor ms for a window of 8 s (less is better)", {name: one["cpu_ms"] for name, one in models.items()}
    if stages := steps.get("decode", {}).get("variants"):
        yield "Processor ms an audio second (less is better)", {name: one["cpu_ms"] for name, one in stages.items()}


def _draw_bars(bars: Mapping[str, Mapping[str, float]], top: float) -> Iterator[str]:
    most = max(one["high"] for one in bars.values())
    per_px = most / (WIDTH_PX - LEFT_PX - RIGHT_PX)
    for place, (name, one) in enumerate(bars.items()):
        y = top + place * (BAR_PX + GAP_PX)
        end, low, high = (LEFT_PX + one[key] / per_px for key in ("median", "low", "high"))
        middle = y + BAR_PX / 2
        kind = "ours" if "Tonalog" in name else "other"
        yield f'<text x="{LEFT_PX - 8}" y="{middle + 4:.1f}" text-anchor="end">{escape(name)}</text>'
        yield f'<rect class="{kind}" x="{LEFT_PX}" y="{y}" width="{max(end - LEFT_PX, 1):.1f}" height="{BAR_PX}"/>'
        yield f'<line class="spread" x1="{low:.1f}" y1="{middle}" x2="{high:.1f}" y2="{middle}"/>'
        yield f'<text x="{max(end, high) + 8:.1f}" y="{middle + 4:.1f}">{say_number(one["median"], 3)}</text>'
