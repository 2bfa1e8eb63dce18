"""`python -m tests.chaos`: hurt every backend for a while, say what was found, and exit 1 when an invariant broke."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for `servers`, as tests/conftest.py does

from tests.chaos.backends import BACKENDS
from tests.chaos.run import Options, Report, run_chaos

N_SHOWN = 10


@click.command(context_settings={"show_default": True})
@click.option("--seed", "first_seed", default=1, help="Seed of the first round; the next ones count on.")
@click.option("--rounds", default=2, help="How often to go through the backends.")
@click.option("--seconds", default=110.0, help="How long faults are injected in each run.")
@click.option("--every", "every_s", default=1.4, help="Seconds between two faults, on average.")
@click.option("--backend", "names", type=click.Choice(list(BACKENDS)), multiple=True, help="Only these backends.")
@click.option("--limit", "limit_s", default=180.0, help="Give up waiting for the last job after so many seconds.")
@click.option("--max-convergence", "target_s", default=30.0, help="Longest wait for the last job that is a success.")
def main(
    *,
    first_seed: int,
    rounds: int,
    seconds: float,
    every_s: float,
    names: tuple[str, ...],
    limit_s: float,
    target_s: float,
) -> None:
    """Hurt real workers, schedulers, brokers and databases, and check afterwards that nothing is lost or doubled."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes started here end as well
    reports = []
    for seed in range(first_seed, first_seed + rounds):
        for name in names or BACKENDS:
            options = Options(backend=BACKENDS[name], seed=seed, seconds=seconds, every_s=every_s, limit_s=limit_s)
            reports.append(run_once(options))
            tell(reports[-1], target_s=target_s)
    tell_sum(reports)
    sys.exit(0 if all(is_good(report, target_s) for report in reports) else 1)


def run_once(options: Options) -> Report:
    """Run in a folder that is kept only when something broke."""
    folder = Path(tempfile.mkdtemp(prefix="tonalog-chaos-"))
    report = run_chaos(options, folder)
    if report.is_sound and report.convergence_s is not None:
        shutil.rmtree(folder)
    else:
        click.echo(f"Logs and database are kept in {folder}.")
    return report


def is_good(report: Report, target_s: float) -> bool:
    """Whether every invariant held and the last job ended soon enough."""
    return report.is_sound and report.convergence_s is not None and report.convergence_s <= target_s


def tell(report: Report, *, target_s: float) -> None:
    """Print one run."""
    options = report.options
    took = "never" if report.convergence_s is None else f"{report.convergence_s:.1f} s"
    click.echo(f"{options.backend.name}, seed {options.seed}, {options.seconds:.0f} s")
    click.echo(f"  faults: {report.faults.total()} ({_listed(report.faults)})")
    click.echo(f"  recordings spoilt: {report.spoilt.total()} ({_listed(report.spoilt)})")
    click.echo(f"  forged and delivered: {report.forged.total()} ({_listed(report.forged)})")
    click.echo(
        f"  jobs {report.n_jobs}, results {report.n_results}, attempts again {report.n_reruns}, "
        f"late attempts refused {report.n_refused}, process restarts {report.n_restarts}"
    )
    click.echo(
        f"  lost {report.n_lost}, duplicates {report.n_duplicates}, results by a non-owner {report.n_foreign}, "
        f"innocent dead {report.n_innocent_dead}, converged after {took}"
    )
    for name, sentences in report.broken.items():
        click.echo(f"  BROKEN {name}: {len(sentences)}")
        for sentence in sentences[:N_SHOWN]:
            click.echo(f"    {sentence}")
    if not is_good(report, target_s):
        again = f"--backend {options.backend.name} --seed {options.seed} --rounds 1"
        again += f" --seconds {options.seconds:g} --every {options.every_s:g}"
        click.echo(f"  FAILED (allowed {target_s:.0f} s to converge). Again: python -m tests.chaos {again}")


def tell_sum(reports: list[Report]) -> None:
    """Print what all runs come to."""
    injected: Counter[str] = sum((report.faults for report in reports), Counter())
    spoilt: Counter[str] = sum((report.spoilt for report in reports), Counter())
    forged: Counter[str] = sum((report.forged for report in reports), Counter())
    times = [report.convergence_s for report in reports if report.convergence_s is not None]
    click.echo(f"{len(reports)} runs")
    click.echo(f"  faults: {injected.total()} ({_listed(injected)})")
    click.echo(f"  recordings spoilt: {spoilt.total()} ({_listed(spoilt)})")
    click.echo(f"  forged and delivered: {forged.total()} ({_listed(forged)})")
    for title, name in (
        ("jobs", "n_jobs"),
        ("results", "n_results"),
        ("attempts again", "n_reruns"),
        ("late attempts refused", "n_refused"),
    ):
        click.echo(f"  {title}: {sum(getattr(report, name) for report in reports)}")
    for title, name in (
        ("lost", "n_lost"),
        ("duplicates", "n_duplicates"),
        ("results by a non-owner", "n_foreign"),
        ("innocent dead", "n_innocent_dead"),
    ):
        click.echo(f"  {title}: {sum(getattr(report, name) for report in reports)}")
    click.echo(
        f"  longest convergence: {max(times, default=0.0):.1f} s; {len(reports) - len(times)} runs never got there"
    )


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{kind} {n}" for kind, n in sorted(counted.items())) or "none"


if __name__ == "__main__":
    main()
