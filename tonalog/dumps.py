"""Runs PostgreSQL's own `pg_dump` and `pg_restore`; a password is given to them in their environment, which nobody else reads."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from db import Engine
from db.backup import server_version
from tonalog.errors import TonalogError

_DEBIAN = "usr/lib/postgresql/*/bin"  # where Debian keeps one folder a release


def dump(engine: Engine, target: Path) -> None:
    """Write the whole database, as it is at one moment, into a file in the custom format of `pg_dump`.

    Raises:
        TonalogError: the program is missing or too old, or it failed; the message holds what it said.
    """
    _run(engine, "pg_dump", ["--format=custom", f"--file={target}"])
    listed = subprocess.run(
        [find_program("pg_restore", server_version(engine)), "--list", str(target)], capture_output=True, check=False
    )
    if listed.returncode != 0:
        raise TonalogError(f"the dump cannot be read again: {_words(listed)}")


def restore(engine: Engine, source: Path) -> None:
    """Fill an empty database from such a file, in one transaction, as the role that connects.

    Raises:
        TonalogError: the program is missing or too old, or it failed; then nothing was changed.
    """
    options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    _run(engine, "pg_restore", [*options, str(source)])


def find_program(name: str, least: int) -> str:
    """Find a program of PostgreSQL that is not older than the server.

    Raises:
        TonalogError: there is none; the message says what to install.
    """
    found = [shutil.which(name), *(str(path / name) for path in sorted(Path("/").glob(_DEBIAN), reverse=True))]
    versions = {path: _version(path) for path in found if path is not None and Path(path).exists()}
    for path, number in versions.items():
        if number >= least:
            return path
    there = f"only of release {max(versions.values())}" if versions else "not installed"
    raise TonalogError(
        f"{name} is {there}, and the server is PostgreSQL {least}: install postgresql-client-{least} (Debian) or put a newer "
        f"{name} on PATH, or run it where the server is (docs/operations.md)."
    )


def _version(program: str) -> int:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    number = re.search(r"(\d+)", said)
    return int(number.group(1)) if number else 0


def _run(engine: Engine, name: str, options: list[str]) -> None:
    program = find_program(name, server_version(engine))
    url = engine.url.set(drivername="postgresql")
    environment = {name: value for name, value in os.environ.items() if name != "PGPASSWORD"}
    if url.password is not None:
        environment["PGPASSWORD"] = str(url.password)
    place = url._replace(password=None).render_as_string()
    done = subprocess.run(
        [program, f"--dbname={place}", "--no-password", *options],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise TonalogError(f"{name} failed: {_words(done)}")


def _words(done: subprocess.CompletedProcess[bytes]) -> str:
    return " ".join(done.stderr.decode(errors="replace").split()[:80])
