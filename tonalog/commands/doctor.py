"""`tonalog doctor`: is every link of the chain well, and the system as a whole, and if not, what to do."""

from __future__ import annotations

import click

from config.settings import Settings
from tonalog.doctor import examine
from tonalog.errors import EXIT_TROUBLE
from tonalog.process import ended_when_told
from tonalog.screen import say

_EPILOG = """\b
Examples:
  tonalog doctor --quiet && echo well
  tonalog doctor --quiet --links      # the health check of a container
"""


@click.command(name="doctor", epilog=_EPILOG)
@click.option("--quiet", is_flag=True, help="Print only what is not well.")
@click.option("--links", "links_only", is_flag=True, help="Only what this process itself needs; for health checks.")
@click.pass_context
def doctor_command(ctx: click.Context, *, quiet: bool, links_only: bool) -> None:
    """Use bundle, database, broker and storage for real; say whether workers and scheduler live and what went wrong.

    Exit 0: all is well. 2: something is not. A server that does not answer is given up after 6 seconds.
    """
    is_well = True
    with ended_when_told():
        for finding in examine(Settings.read(), links_only=links_only):
            is_well = is_well and finding.is_well
            if not (quiet and finding.is_well):
                word = "skip" if finding.is_skipped else "ok  " if finding.is_well else "FAIL"
                say(f"{word}  {finding.name}: {finding.text}")
    ctx.exit(0 if is_well else EXIT_TROUBLE)
