"""Entry point of the `tonalog` command: one sentence per error, never a traceback for a known one."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__" and not sys.flags.safe_path and sys.path[0] == os.getcwd():  # noqa: PTH109 - as Python spells it
    # `python -m` puts the working folder before everything, and a folder of recordings may hold a `config`.
    del sys.path[0]


def main() -> None:
    """Run the command line; exit 2 on wrong use, 1 on a known error, with the remedy on stderr."""
    from tonalog import process  # noqa: PLC0415 - first of all, since it says where modules come from

    process.settle()
    with process.loading():
        import click  # noqa: PLC0415

        from tonalog.cli import cli  # noqa: PLC0415
        from tonalog.errors import known_errors  # noqa: PLC0415
        from tonalog.screen import say, say_traceback, say_usage  # noqa: PLC0415

    sys.excepthook = say_traceback
    try:
        sys.exit(cli.main(standalone_mode=False))
    except click.ClickException as error:
        say_usage(error)
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except known_errors() as error:
        say(f"tonalog: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
