"""Read docker-compose.yml as Compose does, and run its services as plain processes on loopback; needs no Docker.

What a container has and a process here has not (images, limits, networks, read-only files) is left to the static checks.
"""

import copy
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import yaml
from command import ROOT
from servers import PostgresServer, postgres
from servers.machine import die_with_parent, find_free_ports
from servers.redis import find_redis
from servers.s3 import find_weed

COMPOSE_FILE = ROOT / "docker-compose.yml"
HEALTH_TIMEOUT_S = 90.0
PARENT_DEATH_SIGNAL = 9
# ${NAME}, ${NAME:-default}, ${NAME:?message}, $$; the forms that the file uses.
VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<word>[^}]*))?\})")


class MissingVariable(Exception):
    """`${NAME:?message}` of a variable that is not set: `docker compose` stops with that message."""


def expand(value, variables):
    """Put variables into every string of a YAML value."""
    if isinstance(value, dict):
        return {key: expand(part, variables) for key, part in value.items()}
    if isinstance(value, list):
        return [expand(part, variables) for part in value]
    return VARIABLE.sub(lambda found: _expand_one(found, variables), value) if isinstance(value, str) else value


def _expand_one(found, variables):
    if found.group(0) == "$$":
        return "$"
    name, kind, word = found.group("name", "kind", "word")
    if variables.get(name):
        return variables[name]
    if kind == "?":
        raise MissingVariable(f"{name}: {word}")
    return word or ""


def read_env(text):
    """Read the NAME=value lines of an .env file."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {name: value.strip("\"'") for name, _, value in (line.partition("=") for line in lines)}


def raw_services():
    """The services with their variables as they stand in the file."""
    return copy.deepcopy(_parse_services())


@cache
def _parse_services():
    return yaml.safe_load(COMPOSE_FILE.read_text())["services"]


def services(variables, profiles=()):
    """The services that are started with these profiles, with their variables filled in.

    Raises:
        MissingVariable: the file needs one that is not given.
    """
    found = {
        name: Service(name, passed_on(spec, variables)) for name, spec in expand(raw_services(), variables).items()
    }
    return {name: service for name, service in found.items() if {*service.profiles} <= {*profiles}}


def passed_on(spec, variables):
    """Give a variable that the file names without a value the one of the .env file; without one the container has none."""
    if None not in spec.get("environment", {}).values():
        return spec
    given = {name: variables.get(name) if value is None else value for name, value in spec["environment"].items()}
    return spec | {"environment": {name: value for name, value in given.items() if value is not None}}


@dataclass(frozen=True)
class Service:
    """One service of the file."""

    name: str
    spec: dict

    @property
    def command(self):
        """What Compose starts; empty where only the image knows."""
        return [*self.spec.get("entrypoint", []), *self.spec.get("command", [])]

    @property
    def environment(self):
        return {name: str(value) for name, value in self.spec.get("environment", {}).items()}

    @property
    def health_command(self):
        kind, *words = self.spec["healthcheck"]["test"]
        return words if kind == "CMD" else ["/bin/sh", "-c", *words]

    @property
    def has_health(self):
        return "healthcheck" in self.spec

    @property
    def profiles(self):
        """What it is started with; empty: always."""
        return self.spec.get("profiles", [])

    @property
    def is_one_shot(self):
        """Whether it runs to an end (and is only started again if that was a failure)."""
        return self.spec.get("restart", "").startswith("on-failure")

    @property
    def is_tonalog(self):
        return self.spec["image"].startswith("tonalog:") and self.command[0] == "tonalog"

    @property
    def needs(self):
        """Other service -> condition."""
        return {name: on["condition"] for name, on in self.spec.get("depends_on", {}).items()}

    @property
    def bind_mounts(self):
        """Path in the container -> path from the repository's root, of files that are mounted."""
        found = [volume.split(":") for volume in self.spec.get("volumes", []) if volume.startswith("./")]
        return {inside: ROOT / outside for outside, inside, *_ in found}

    @property
    def writable(self):
        """Paths in the container that are a volume or in memory."""
        named = [volume.split(":")[1] for volume in self.spec.get("volumes", []) if not volume.startswith("./")]
        return [*named, *(path.split(":")[0] for path in self.spec.get("tmpfs", []))]


def in_order(wanted):
    """Sort services so that each comes after those that it needs."""
    ordered = {}
    while len(ordered) < len(wanted):
        ready = [s for s in wanted.values() if s.name not in ordered and set(s.needs) <= set(ordered)]
        assert ready, f"{set(wanted) - set(ordered)} need each other"
        ordered |= {service.name: service for service in ready}
    return list(ordered.values())


def image_environment():
    """The ENV of the image's last stage."""
    text = (ROOT / "deploy" / "Dockerfile").read_text().replace("\\\n", " ")
    last_stage = text[text.rindex("\nFROM ") :]
    words = [word for line in last_stage.splitlines() if line.startswith("ENV ") for word in shlex.split(line)[1:]]
    return dict(word.split("=", 1) for word in words)


class ImagePostgres(PostgresServer):
    """What the entrypoint of the postgres image does: initdb as the environment says, then the database."""

    def __init__(self, environment):
        super().__init__()
        self._given = environment
        programs, _, user_id = postgres.prepare_cluster()
        shutil.rmtree(self._data)
        password_file = self.folder / "password"
        password_file.write_text(environment["POSTGRES_PASSWORD"])
        password_file.chmod(0o644)
        command = [str(programs / "initdb"), "-D", str(self._data), f"--pwfile={password_file}", "--no-sync"]
        command += [f"--username={environment['POSTGRES_USER']}", *environment["POSTGRES_INITDB_ARGS"].split()]
        done = postgres.run_as(command, user_id, self.folder)
        assert done.returncode == 0, done.stdout.decode()
        self.programs = programs

    def connect(self, database="postgres"):
        url = self.url_of(database).replace("+psycopg", "")
        return postgres.psycopg.connect(url, connect_timeout=5, autocommit=True)

    def url_of(self, database):
        user, password = self._given["POSTGRES_USER"], self._given["POSTGRES_PASSWORD"]
        return f"postgresql+psycopg://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self):
        super().start()
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {self._given['POSTGRES_DB']}".encode())


@dataclass
class Stack:
    """The services of the file as processes of this machine, with one folder for all that they write."""

    folder: Path
    services: dict
    processes: dict = field(default_factory=dict)

    def __post_init__(self):
        names = [
            "valkey",
            "s3",
            "s3_grpc",
            "master",
            "master_grpc",
            "volume",
            "volume_grpc",
            "filer",
            "filer_grpc",
            "api",
        ]
        self.ports = dict(zip(names, find_free_ports(len(names)), strict=True))
        self.postgres = ImagePostgres(self.services["postgres"].environment)
        self._write_programs()

    @cached_property
    def loopback(self):
        """THE mapping: every host, port and path of the containers that stands in another place here."""
        ports = self.ports
        return {
            "@postgres:5432": f"@127.0.0.1:{self.postgres.port}",
            "@valkey:6379": f"@127.0.0.1:{ports['valkey']}",
            "http://seaweedfs:8333": f"http://127.0.0.1:{ports['s3']}",
            "http://127.0.0.1:8333": f"http://127.0.0.1:{ports['s3']}",
            "--host=0.0.0.0": "--host=127.0.0.1",
            "--port=8080": f"--port={ports['api']}",
            "/var/lib/tonalog": "{folder}/home",
        }

    not_here = ("PATH",)

    def script_settings(self, service):
        """What the start scripts let the environment move, for the same reason."""
        folder = str(self.folder_of(service))
        return {
            "VALKEY_CONF": str(self.folder / "valkey.conf"),
            "VALKEY_DIR": folder,
            "DATA_DIR": folder,
            "SEAWEEDFS_IP": "127.0.0.1",
            "SEAWEEDFS_MASTER": f"127.0.0.1:{self.ports['master']}.{self.ports['master_grpc']}",
        }

    def here(self, service, text):
        """Say a container's word in this machine's terms."""
        table = service.bind_mounts | self.loopback
        inside = re.compile("|".join(re.escape(place) for place in sorted(table, key=len, reverse=True)))
        folder = str(self.folder_of(service))
        return inside.sub(lambda found: str(table[found.group()]).replace("{folder}", folder), text)

    def folder_of(self, service):
        folder = self.folder / service.name
        for name in ("home", "tmp"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        return folder

    def environment(self, service):
        """The service's own variables, the image's under them, and nothing of this process's but for coverage."""
        given = (image_environment() if service.is_tonalog else {}) | service.environment
        mapped = {name: self.here(service, value) for name, value in given.items() if name not in self.not_here}
        folder = self.folder_of(service)
        system = {
            "PATH": f"{self.folder / 'bin'}:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder),
            "TMPDIR": str(folder / "tmp"),
        }
        measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE")}
        return mapped | system | measured | ({} if service.is_tonalog else self.script_settings(service))

    def run(self, name, command, *, timeout_s=120):
        """Run a command to its end, as `docker compose exec` in a service; gives exit code and what was printed."""
        service = self.services[name]
        done = subprocess.run(
            [self.here(service, word) for word in command],
            env=self.environment(service),
            cwd=self.folder_of(service),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return done.returncode, done.stdout

    def start(self):
        """As `docker compose up --wait`: each service after those that it needs, and then until all are healthy."""
        for service in in_order(self.services):
            for needed, condition in service.needs.items():
                if condition == "service_healthy":  # `start` ran to its end what has to be completed
                    self._check(needed)
            if service.is_one_shot:
                code, printed = self.run(service.name, service.command)
                assert code == 0, f"{service.name}: exit {code}\n{printed}"
            elif service.name == "postgres":
                self.postgres.start()
            else:
                self._start(service)
        for name, service in self.services.items():
            if service.has_health:
                self._check(name)

    def close(self):
        """Stop what runs, at once."""
        for process in self.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, PARENT_DEATH_SIGNAL)
                process.wait()
        self.postgres.close()
        for port in self.ports.values():
            for socket_file in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                socket_file.unlink(missing_ok=True)

    def logs(self):
        """The end of every log."""
        files = sorted(self.folder.glob("*.log"))
        return "\n".join(f"== {file.name}\n{file.read_text(errors='replace')[-2500:]}" for file in files)

    def _start(self, service):
        with (self.folder / f"{service.name}.log").open("ab") as log:
            self.processes[service.name] = subprocess.Popen(
                [self.here(service, word) for word in service.command],
                env=self.environment(service),
                cwd=self.folder_of(service),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(PARENT_DEATH_SIGNAL),  # noqa: PLW1509 - one C call, no lock
            )

    def _check(self, name):
        deadline = time.monotonic() + HEALTH_TIMEOUT_S
        while (answer := self.run(name, self.services[name].health_command))[0] != 0:
            process = self.processes.get(name)
            is_hopeful = time.monotonic() < deadline and (process is None or process.poll() is None)
            assert is_hopeful, f"{name} is not healthy: {answer}\n{self.logs()}"
            time.sleep(0.2)

    def _write_programs(self):
        """Put the images' programs on PATH, each told its port; stand-ins for two that no wheel holds."""
        ports, bin_folder = self.ports, self.folder / "bin"
        bin_folder.mkdir()
        (self.folder / "valkey.conf").write_text(
            f"include {ROOT / 'deploy' / 'redis.conf'}\nbind 127.0.0.1\nport {ports['valkey']}\n"
        )
        (bin_folder / "valkey-server").symlink_to(find_redis())
        roles = [f"-{name.replace('_', '.port.', 1)}={port}" for name, port in ports.items() if "_" in name]
        roles += [f"-{name}.port={ports[name]}" for name in ("s3", "master", "volume", "filer")]
        quiet = ["-ip.bind=127.0.0.1", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.electionTimeout=1s"]
        programs = {
            "weed": f'case " $* " in *" server "*) set -- "$@" {" ".join([*roles, *quiet])};; esac\n'
            f'exec {find_weed()} "$@"',
            "pg_isready": f'exec {self.postgres.programs}/pg_isready "$@" --port={self.postgres.port}',
            "psql": f'exec {self.postgres.programs}/psql "$@"',
            "valkey-cli": f'exec {sys.executable} -c "import os, redis; redis.Redis(port={ports["valkey"]}, '
            "password=os.environ['REDISCLI_AUTH']).ping() and print('PONG')\"",
            "wget": f"for url; do :; done\nexec {sys.executable} -c "
            '"import sys, urllib.request as r; r.build_opener(r.ProxyHandler({})).open(sys.argv[1], timeout=5)" "$url"',
        }
        for name, script in programs.items():
            (bin_folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (bin_folder / name).chmod(0o755)
