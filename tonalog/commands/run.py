"""`tonalog run`: register, queue, score, report, or carry out a batch; the production path on one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from config import logs
from config.settings import Settings
from db.reasons import BatchState
from scheduler.naming import NO_OPTIONS
from tonalog.batch_words import say_batch
from tonalog.intake_options import intake_options, read_options, say_unknown
from tonalog.local_batch import LocalBatch
from tonalog.local_run import LocalRun
from tonalog.run_report import print_report
from tonalog.screen import say

_EPILOG = """\b
Examples:
  tonalog run examples/notes
  tonalog run my-notes --subject ana --zone Europe/Berlin
  tonalog run --batch 3
  tonalog run s3://notes/2026/ --db postgresql://tonalog@localhost/tonalog --jobs 4
"""


@click.command(name="run", epilog=_EPILOG)
@click.argument("path_or_url", metavar="PATH_OR_S3_URL", required=False)
@click.option("--batch", "batch_id", type=int, metavar="ID", help="Carry out a batch of `tonalog reprocess` instead.")
@click.option("--db", "database_url", help="Database URL; default: SQLite in the home folder.")
@click.option("--home", type=click.Path(path_type=Path), help="Folder of the embedded database and queue.")
@click.option("--jobs", "n_processes", type=click.IntRange(1, 256), help="Worker processes; default: one a core.")
@intake_options
def run_command(
    path_or_url: str | None,
    *,
    batch_id: int | None,
    database_url: str | None,
    home: Path | None,
    n_processes: int | None,
    **given: Any,
) -> None:
    """Score every voice note in PATH_OR_S3_URL and show the results.

    What has been scored before is not scored again. Exit 0 when every recording has a result or a reason.
    """
    settings = Settings.read(home=home, database_url=database_url, worker_concurrency=n_processes)
    logs.configure("WARNING", line=logs.FOR_PEOPLE)
    options = read_options(**given)
    if (path_or_url is None) == (batch_id is None):
        raise click.UsageError("Give PATH_OR_S3_URL or --batch ID, and not both.")
    if batch_id is not None:
        if options != NO_OPTIONS:
            raise click.UsageError("--batch scans nothing, so it takes no option about who speaks and when.")
        _run_batch(settings, batch_id)
        return
    assert path_or_url is not None
    run = LocalRun(settings, path_or_url, options=options)
    found = run.register()
    corrected = f", {found.n_corrected} corrected" if found.n_corrected else ""
    say(f"{found.n_listed} recordings found, {found.n_new} new{corrected}; {found.n_jobs} new jobs.")
    say_unknown(found, path_or_url)
    run.work()
    run.refresh_people()
    print_report(run.engine, run.place, settings)


def _run_batch(settings: Settings, batch_id: int) -> None:
    run = LocalBatch(settings, batch_id)
    batch = run.work()
    run.refresh_people()
    say_batch(batch, run.read_progress())
    version = batch.model.rpartition("-")[2]
    if batch.state is BatchState.DONE:
        say(f"To let readers see it: tonalog models activate {version}")
