"""`tonalog compare`: how two versions of a model differ on stored recordings, as a gate for pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from config.settings import Settings
from db import Engine, models
from db.compare import Period
from tonalog.commands.report import load_pages, save
from tonalog.errors import TonalogError, known_errors
from tonalog.screen import say, say_json, show
from tonalog.session import open_database

if TYPE_CHECKING:
    from trends.comparing import Breach, Comparison, Limits

EXCEEDED, TROUBLE = 1, 2
_DAY = click.DateTime(formats=["%Y-%m-%d"])
_SHARE = click.FloatRange(0, 1)
_EPILOG = """\b
Examples:
  tonalog compare 0.6.0 0.7.0
  tonalog compare 0.6.0 0.7.0 --max-disagree 0.1 --min-coverage 0.99 && tonalog models activate 0.7.0
  tonalog compare 0.6.0 0.7.0 --since 2026-05-01 --html compare.html --json > compare.json

\b
Exit status:
  0  every limit that was given is kept
  1  a limit is exceeded; stderr says which, with value and limit
  2  wrong use, nothing to measure a limit on, or trouble such as an unknown version
"""


@click.command(name="compare", epilog=_EPILOG)
@click.argument("a")
@click.argument("b")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Also write a page with plots to this file."
)
@click.option("--people", "n_movers", type=click.IntRange(0, 1000), default=0, help="Name this many who move most.")
@click.option("--max-disagree", type=_SHARE, help="Share of recordings whose label (or no speech) may differ.")
@click.option("--max-shift", type=_SHARE, help="By how much the mean score of any class may move, up or down.")
@click.option("--min-coverage", type=_SHARE, help="Share of A's recordings that B must have a result for.")
@click.option("--since", type=_DAY, help="First local day, such as 2026-03-01. Recordings without a time are left out.")
@click.option("--until", type=_DAY, help="Last local day, itself included.")
@click.option("--tenant", help="Only this tenant's recordings; all tenants' if not given.")
@click.pass_context
def compare_command(
    ctx: click.Context,
    *,
    a: str,
    b: str,
    as_json: bool,
    html: Path | None,
    n_movers: int,
    max_disagree: float | None,
    max_shift: float | None,
    min_coverage: float | None,
    since: datetime | None,
    until: datetime | None,
    tenant: str | None,
) -> None:
    """Compare the stored results of versions A and B over the recordings that both have scored.

    Agreement and confusion of labels, shift of scores by class and by person, changes between speech and no speech,
    coverage, and cost. Intervals take persons, and not their notes, for what was drawn.
    """
    from trends.comparing import Limits  # noqa: PLC0415 - numpy, which most commands need not

    if since is not None and until is not None and since > until:
        raise click.UsageError(f"No day is from --since {since:%Y-%m-%d} to --until {until:%Y-%m-%d}.")
    limits = Limits(max_disagree=max_disagree, max_shift=max_shift, min_coverage=min_coverage)
    chosen = Period(tenant=tenant, since=since and since.date(), until=until and until.date())
    try:
        status = _compare(open_database(Settings.read()), (a, b), chosen, limits, n_movers, as_json=as_json, html=html)
    except known_errors() as error:  # 1 is for limits: a pipeline must not take a dead database for a bad model
        say(f"tonalog: {error}", err=True)
        status = TROUBLE
    ctx.exit(status)


def _compare(
    engine: Engine,
    wanted: tuple[str, str],
    chosen: Period,
    limits: Limits,
    n_movers: int,
    *,
    as_json: bool,
    html: Path | None,
) -> int:
    from tonalog.comparing import as_document, compare_models, list_tables, name_of, say_breach  # noqa: PLC0415
    from trends.comparing import check_limits  # noqa: PLC0415

    pages = None if html is None else load_pages()
    a, b = (models.resolve(engine, version) for version in wanted)
    if a.id == b.id:
        raise TonalogError(f"{wanted[0]} and {wanted[1]} are the same version, {name_of(a)}: name two.")
    found = compare_models(engine, a, b, chosen=chosen, n_movers=n_movers)
    breaches = check_limits(found, limits)
    if as_json:
        say_json(as_document(found, breaches))
    else:
        for table in list_tables(found):
            show(table)
        if found.unshared:
            say(f"Only one of the versions has: {', '.join(found.unshared)}.")
        if not found.n_both:
            say(f"No recording has a result of both. `tonalog reprocess --model {b.version}` makes the missing jobs.")
    if html is not None:
        _write_page(html, pages, found, breaches, chosen=chosen)
    bad = [breach for breach in breaches if breach.verdict.value != "within"]
    for breach in bad:
        say(f"tonalog: {say_breach(breach, found)}.", err=True)
    return _choose_status(bad)


def _choose_status(bad: Sequence[Breach]) -> int:
    if any(breach.verdict.value == "exceeded" for breach in bad):
        return EXCEEDED
    return TROUBLE if bad else 0


def _write_page(html: Path, pages: Any, found: Comparison, breaches: Sequence[Breach], *, chosen: Period) -> None:
    days = [] if chosen.since is None else [f"from {chosen.since}"]
    days += [] if chosen.until is None else [f"to {chosen.until}"]
    whose = "all tenants" if chosen.tenant is None else f"tenant {chosen.tenant}"
    scope = " ".join([f"Live recordings of {whose}", *days])
    save(html, pages.render_comparison(found, breaches, at=datetime.now(UTC), scope=scope), err=True)
