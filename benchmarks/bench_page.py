"""Write the results of `make bench` as Markdown, into docs/performance.md between its markers, and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.bench_picture import draw
from benchmarks.bench_summary import FIGURES, judge, say_number

BEGIN, END = "<!-- results of `make bench` -->", "<!-- end of results -->"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
IN_VARIANTS = frozenset({"variants", "ratios", "unit"})
MOST_TABLES = 3
"""More cases than these, each with the same figures at the same sizes, share one table."""
ON_PAGE = ("model", "decode", "end_to_end", "start", "system", "ledger", "length", "registering")
"""Steps that docs/performance.md shows; results.md has all of them."""
HIDDEN = frozenset({"title", "took_s", "load", "core", "failed", "missing"})


def write_page(results: Mapping[str, Any], folder: Path) -> None:
    """Write results.md and results.svg into a folder; where it is that of the benchmarks, the page of the docs as well."""
    text = describe(results)
    (folder / "results.md").write_text(
        f"# Results of `make bench`\n\n![Speed](results.svg)\n\n{text}", encoding="utf-8"
    )
    (folder / "results.svg").write_text(draw(results), encoding="utf-8")
    if folder == Path(__file__).resolve().parent and PAGE.exists():
        PAGE.write_text(put_between(PAGE.read_text(encoding="utf-8"), describe_shortly(results)), encoding="utf-8")


def describe_shortly(results: Mapping[str, Any]) -> str:
    """Return what stands on the page of the docs: the picture, the figures and the steps that most readers ask for."""
    steps = {name: step for name, step in results["steps"].items() if name in ON_PAGE}
    text = describe({**results, "steps": steps})
    picture = "![Tonalog against other chains and models](../benchmarks/results.svg)"
    return f"{picture}\n\n{text}\nEvery step, with the machine's limits and the growth of reads and of the ledger: [results](../benchmarks/results.md).\n"


def put_between(page: str, text: str, *, begin: str = BEGIN, end: str = END) -> str:
    """Return a page with a text between its markers, in place of what was there.

    Raises:
        ValueError: the page lacks a marker.
    """
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise ValueError(f"the page lacks {begin!r} or, behind it, {end!r}; add both on lines of their own")
    return f"{before}{begin}\n\n{text}\n{end}{after}"


def describe(results: Mapping[str, Any]) -> str:
    """Return the results as Markdown."""
    return "\n".join([*_protocol(results), *_figures(results), *_steps(results["steps"])])


def _protocol(results: Mapping[str, Any]) -> Iterator[str]:
    machine, load = results["machine"], results["load"]
    yield (
        f"{machine['cpu']}, {machine['cores']} cores ({', '.join(machine['flags'])}), {machine['system']}, "
        f"at a load of {load['start']:.1f} to {load['end']:.1f}, {results['at']}"
        f"{', quick mode: not to be quoted' if results['is_quick'] else ''}."
    )
    yield ""
    yield f"How: {results['protocol']}."
    yield ""
    yield f"Versions: {', '.join(results['versions'])}."
    yield ""


def _figures(results: Mapping[str, Any]) -> Iterator[str]:
    yield "| figure | value | goal | | what over what |"
    yield "|---|---|---|---|---|"
    for figure in FIGURES:
        value = results[figure.name]
        shown = "-" if value is None else f"{say_number(value, 3)} {figure.unit}".strip()
        goal = "-" if figure.goal is None else f"{figure.goal:g} {figure.unit}".strip()
        yield f"| `{figure.name}` | {shown} | {goal} | {judge(figure, value)} | {figure.text} |"
    yield ""


def _steps(steps: Mapping[str, Any]) -> Iterator[str]:
    for name, step in steps.items():
        yield f"**{step['title'][:1].upper()}{step['title'][1:]}** (`{name}`, load {step['load'][0]:.1f} to {step['load'][1]:.1f})"
        yield ""
        if why := step.get("failed") or step.get("missing"):
            yield f"Not measured: {why}."
        elif name == "end_to_end":
            yield from _end_to_end(step)
        elif "printed" in step:
            yield from ("```text", *step["printed"], "```")
        elif "variants" in step:
            yield from _variants(step)
            yield ""
            yield from _plain({name: value for name, value in step.items() if name not in IN_VARIANTS})
        else:
            yield from _plain(step)
        yield ""


def _end_to_end(step: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"{step['n_notes']} Opus notes at 48 kHz made of speech of {step['notes']}, {step['audio_s']:.0f} s in all, {step['n_windows']} windows; "
        f"{step['n_scored']} have a score."
    )
    yield ""
    yield "| chain | audio seconds a core second | middle half | processor time over ours | middle half |"
    yield "|---|---|---|---|---|"
    for name, rate in step["audio_s_per_core_s"].items():
        yield f"| {name} | {rate['median']:.1f} | {_half(rate)} | {_ratio(step, name)} |"
    yield ""
    stages = step["stage_ms_per_audio_s"]
    total = sum(stages.values())
    parts = ", ".join(f"{name} {one:.2f} ms ({one / total:.0%})" for name, one in stages.items())
    yield f"Ours, an audio second: {parts}."


def _variants(step: Mapping[str, Any]) -> Iterator[str]:
    yield f"| variant | {step['unit']}, processor | middle half | least | wall | over ours | middle half |"
    yield "|---|---|---|---|---|---|---|"
    for name, one in step["variants"].items():
        cpu, wall = one["cpu_ms"], one["wall_ms"]
        yield (
            f"| {name} | {say_number(cpu['median'], 3)} | {_half(cpu)} | {say_number(cpu['least'], 3)} | {say_number(wall['median'], 3)} | {_ratio(step, name)} |"
        )


def _ratio(step: Mapping[str, Any], name: str) -> str:
    ratio = step["ratios"].get(name)
    return "1 | " if ratio is None else f"{ratio['median']:.2f} | {_half(ratio)}"


def _half(spread: Mapping[str, float]) -> str:
    return f"{say_number(spread['low'], 3)} to {say_number(spread['high'], 3)}"


def _plain(step: Mapping[str, Any]) -> Iterator[str]:
    """Show single figures in one table, and what has the same figures for several cases in one table each."""
    shown = {name: value for name, value in step.items() if name not in HIDDEN}
    single = {name: value for name, value in shown.items() if not _is_table(value)}
    cases = {name: value for name, value in single.items() if _is_case(value)}
    if len(cases) > 1 and len({tuple(value) for value in cases.values()}) == 1:
        yield from _table(cases)
        single = {name: value for name, value in single.items() if name not in cases}
    if single:
        yield "| | |"
        yield "|---|---|"
        yield from (f"| {name.replace('_', ' ')} | {say_value(value)} |" for name, value in single.items())
        yield ""
    tables = {name: value for name, value in shown.items() if _is_table(value)}
    if len(tables) > MOST_TABLES and len({tuple(value) for value in tables.values()}) == 1:
        yield from _table(tables)
        return
    for name in tables:
        yield f"{name.replace('_', ' ').capitalize()}:"
        yield ""
        yield from _table(shown[name])


def _is_case(value: Any) -> bool:
    """Whether a value is figures of one case, by name."""
    return isinstance(value, Mapping) and "median" not in value and not _is_table(value)


def _is_table(value: Any) -> bool:
    """Whether a value is cases, each with figures by name."""
    return isinstance(value, Mapping) and bool(value) and all(_is_case(one) for one in value.values())


def _table(cases: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    columns = list(dict.fromkeys(name for case in cases.values() for name in case))
    yield "| | " + " | ".join(name.replace("_", " ") for name in columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    for name, case in cases.items():
        yield f"| {name} | " + " | ".join(say_value(case[one]) if one in case else "" for one in columns) + " |"
    yield ""


def say_value(value: Any) -> str:
    """Write a figure, a spread as its median and middle half, and what holds several of them in one line.

    >>> say_value({"median": 2.0, "low": 1.5, "high": 2.5, "least": 1.0, "n": 3}), say_value({"a": 1, "b": 0.25})
    ('2 (1.5 to 2.5)', 'a: 1; b: 0.25')
    """
    if isinstance(value, Mapping):
        if "median" in value and "low" in value:
            return f"{say_number(value['median'])} ({_half(value)})"
        return "; ".join(f"{name}: {say_value(one)}" for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(say_value(one) for one in value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return say_number(value) if isinstance(value, float) else str(value)
