"""The `tonalog` command and its subcommands; each is imported only when it is called."""

from __future__ import annotations

import importlib
from importlib.metadata import version

import click

from tonalog.process import loading

_COMMANDS = {
    "run": ("tonalog.commands.run", "Score a folder or bucket of voice notes on this machine."),
    "score": ("tonalog.commands.score", "Score files without a database."),
    "scan": ("tonalog.commands.operate", "Find new recordings and make jobs for them."),
    "identify": ("tonalog.commands.identify", "Show who speaks in each recording and when, and why not; correct it."),
    "worker": ("tonalog.commands.processes", "Run a worker."),
    "scheduler": ("tonalog.commands.processes", "Run the scheduler."),
    "db": ("tonalog.commands.database", "Set up, upgrade, back up, restore or rewrite the database."),
    "status": ("tonalog.commands.status", "Show jobs by state, who works, what waits and what is wrong."),
    "dead": ("tonalog.commands.dead", "List dead jobs with their reasons and messages."),
    "retry": ("tonalog.commands.operate", "Send dead jobs back to work."),
    "show": ("tonalog.commands.read", "Show one recording with its segments."),
    "trends": ("tonalog.commands.read", "Show how one person's voice has been trending."),
    "export": ("tonalog.commands.export", "Write notes, segments, days and trends into files."),
    "report": ("tonalog.commands.report", "Write a page on a person or a note (extra report)."),
    "erase": ("tonalog.commands.erase", "Erase a person or a recording from database and storage."),
    "retention": ("tonalog.commands.erase", "Erase what is older than an age."),
    "subjects": ("tonalog.commands.subjects", "Store people's names as keyed hashes."),
    "api": ("tonalog.commands.api", "Run the HTTP API (extra api)."),
    "keys": ("tonalog.commands.keys", "Make, list, replace and revoke keys of the HTTP API."),
    "webhooks": ("tonalog.commands.webhooks", "Run the sender of webhooks (extra api)."),
    "models": ("tonalog.commands.models", "Add, list and activate models."),
    "compare": ("tonalog.commands.compare", "Compare what two model versions made of the same recordings."),
    "reprocess": ("tonalog.commands.batches", "Score stored recordings again with another model."),
    "batches": ("tonalog.commands.batches", "Watch, pause, resume and cancel a reprocess, and set its rate."),
    "train": ("tonalog.commands.train", "Train a model on labelled corpora and report it (extra train)."),
    "evaluate": ("tonalog.commands.evaluate", "Measure a trained model, also on other corpora (extra train)."),
    "bundle": ("tonalog.commands.bundle", "Write a trained model as an int8 bundle (extra train)."),
    "capacity": ("tonalog.commands.capacity", "Say what a night of so much audio needs, from measured speed."),
    "doctor": ("tonalog.commands.doctor", "Check every link for real, and the system as a whole."),
    "settings": ("tonalog.commands.settings", "List every TONALOG_* setting."),
}


class _LazyGroup(click.Group):
    """A group whose subcommands are imported on use, so that `tonalog score` starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        with loading():
            module = importlib.import_module(_COMMANDS[cmd_name][0])
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: tonalog run examples/notes",
)
@click.version_option(version("tonalog"), prog_name="tonalog")
def cli() -> None:
    """Score stored voice notes for emotion and keep each person's trend in SQL."""
