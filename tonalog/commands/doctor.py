"""`tonalog doctor`: is every link of the chain well, and if not, what mends it."""

from __future__ import annotations

import click

from config.settings import Settings
from tonalog.doctor import examine
from tonalog.process import ended_when_told
from tonalog.screen import say


@click.command(name="doctor", epilog="Example: tonalog doctor --quiet && echo well")
@click.option("--quiet", is_flag=True, help="Print only what is not well; for health checks.")
@click.pass_context
def doctor_command(ctx: click.Context, *, quiet: bool) -> None:
    """Use the bundle, the database, the broker and the storage for real. Exit 1 if one is not well."""
    is_well = True
    with ended_when_told():
        for finding in examine(Settings.read()):
            is_well = is_well and finding.is_well
            if not (quiet and finding.is_well):
                say(f"{'ok  ' if finding.is_well else 'FAIL'}  {finding.name}: {finding.said}")
    ctx.exit(0 if is_well else 1)
