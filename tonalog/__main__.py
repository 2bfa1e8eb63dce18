"""Entry point of the `tonalog` command: one sentence per error, never a traceback for a known one."""

from __future__ import annotations

import sys

import click

from tonalog.cli import cli
from tonalog.errors import known_errors


def main() -> None:
    """Run the command line; exit 2 on wrong use, 1 on a known error, with the mend on stderr."""
    try:
        sys.exit(cli.main(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except known_errors() as error:
        click.echo(f"tonalog: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
