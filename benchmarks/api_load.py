"""The HTTP API under load: a real `tonalog api` on a filled database, asked by several clients at once over a mix of routes.

python benchmarks/api_load.py [--notes 100000] [--people 1000] [--clients 8] [--seconds 10] [--database sqlite|postgresql]
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

from api_rows import fill, tenant_of
from protocol import print_protocol

from db import Engine, api_keys, migrate
from db.engine import make_engine, verify
from db.reasons import Scope

ROOT = Path(__file__).resolve().parent.parent
# Of a hundred requests; `{subject}` and `{note}` are of the key's tenant, drawn anew for each.
MIX = {
    "/v1/subjects/{subject}/notes?limit=100": 25,
    "/v1/subjects/{subject}/notes?limit=10": 15,
    "/v1/subjects/{subject}/days?limit=100": 15,
    "/v1/subjects/{subject}/trend": 15,
    "/v1/notes/{note}": 15,
    "/v1/notes/{note}/segments": 10,
    "/v1/changes?limit=100": 5,
}
WARM_S = 2.0
START_S = 60.0


@dataclass
class Seen:
    """What the clients saw."""

    ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statuses: Counter[int] = field(default_factory=Counter)
    n_lost: int = 0
    n_bytes: int = 0


@dataclass(frozen=True)
class Server:
    """A server that is up."""

    port: int
    process_id: int

    @property
    def cpu_s(self) -> float:
        """Seconds of processor time that it has had so far."""
        fields = Path(f"/proc/{self.process_id}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Fill, serve, ask and print; 1 where an answer was none or no 200."""
    options = read_options()
    n_failed = 0
    for kind in options.database or ["sqlite", "postgresql"]:
        with database(kind) as (url, variables):
            engine = make_engine(url)
            migrate.upgrade(engine)
            fill(engine, n_notes=options.notes, n_people=options.people)
            with served(variables) as server:
                n_failed += load(engine, server, options)
            engine.dispose()
    return 1 if n_failed else 0


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--notes", type=int, default=100_000)
    parser.add_argument("--people", type=int, default=1_000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--database", action="append", choices=["sqlite", "postgresql"], help="by default both in turn")
    return parser.parse_args()


@contextmanager
def database(kind: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Give an empty database, as an URL and as the variables of `tonalog`; what is committed is on the disk."""
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory())
        variables = {"TONALOG_HOME": home}
        if kind == "sqlite":
            yield f"sqlite:///{home}/tonalog.db", variables
            return
        sys.path.insert(0, str(ROOT / "tests"))
        from servers import PostgresServer  # noqa: PLC0415 - of the test suite
        from servers.postgres import SETTINGS  # noqa: PLC0415

        SETTINGS["fsync"] = "on"  # the test suite has it off; audit rows shall cost here what they cost
        server = PostgresServer()
        stack.callback(server.close)
        server.start()
        with server.connect() as connection:
            connection.execute(b"CREATE DATABASE load")
        url = server.url_of("load")
        yield url, {**variables, "TONALOG_DATABASE_URL": url}


@contextmanager
def served(variables: dict[str, str]) -> Iterator[Server]:
    """Run the real command."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TONALOG_")}
    lifted = {"TONALOG_API_REQUESTS_PER_S": "1000000", "TONALOG_LOG_LEVEL": "WARNING"}
    command = [sys.executable, "-m", "tonalog", "api", "--port", str(port)]
    process = subprocess.Popen(command, env={**clean, **variables, **lifted}, cwd=ROOT)
    try:
        deadline_s = time.monotonic() + START_S
        while not is_ready(port):
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise SystemExit("tonalog api did not start")
            time.sleep(0.2)
        yield Server(port=port, process_id=process.pid)
    finally:
        process.terminate()
        process.wait()


def is_ready(port: int) -> bool:
    """Say whether the server can answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def load(engine: Engine, server: Server, options: argparse.Namespace) -> int:
    """Ask for a while by several clients, and print what they saw; give how many answers failed."""
    print_protocol(
        f"{options.notes} notes of {options.people} people on {verify(engine)}; {options.clients} clients for "
        f"{options.seconds:.0f} s after {WARM_S:.0f} s that do not count; every answer audited and committed before it leaves",
        order="one server process, one process of clients beside it on the same machine, each with one connection kept "
        "open that asks again as soon as it is answered; the key's limit is lifted",
    )
    person = 7
    key = api_keys.create(engine, tenant_of(person), name="load", scopes=[Scope.READ]).secret
    ask(server.port, key, options, seconds=WARM_S)
    begun_s, cpu_s = time.monotonic(), server.cpu_s
    seen = ask(server.port, key, options, seconds=options.seconds)
    report(seen, taken_s=time.monotonic() - begun_s, cpu_s=server.cpu_s - cpu_s)
    return seen.n_lost + sum(n for status, n in seen.statuses.items() if status != http.HTTPStatus.OK)


def ask(port: int, key: str, options: argparse.Namespace, *, seconds: float) -> Seen:
    """Have the clients ask, each its own mix."""
    seen = [Seen() for _ in range(options.clients)]
    until_s = time.monotonic() + seconds
    threads = [
        threading.Thread(
            target=be_client, args=(port, key, options), kwargs={"place": place, "seen": each, "until_s": until_s}
        )
        for place, each in enumerate(seen)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = Seen()
    for each in seen:
        whole.statuses += each.statuses
        whole.n_lost += each.n_lost
        whole.n_bytes += each.n_bytes
        for route, taken in each.ms.items():
            whole.ms[route] += taken
    return whole


def be_client(port: int, key: str, options: argparse.Namespace, *, place: int, seen: Seen, until_s: float) -> None:
    """Ask until the time is over."""
    draw = random.Random(place)  # noqa: S311 - which person is asked for is no secret
    routes, weights = list(MIX), list(MIX.values())
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {key}"}
    while time.monotonic() < until_s:
        (route,) = draw.choices(routes, weights)
        person = draw.randrange(options.people // 10) * 10 + 7  # of the key's tenant
        note = person + options.people * draw.randrange(options.notes // options.people - 1)
        begun_s = time.perf_counter()
        try:
            connection.request("GET", route.format(subject=f"person-{person}", note=note), headers=headers)
            answer = connection.getresponse()
            seen.n_bytes += len(answer.read())
            seen.statuses[answer.status] += 1
        except (OSError, http.client.HTTPException):
            seen.n_lost += 1
            connection.close()
        seen.ms[route].append((time.perf_counter() - begun_s) * 1000)
    connection.close()


def report(seen: Seen, *, taken_s: float, cpu_s: float) -> None:
    """Print throughput, times and errors."""
    every = [ms for taken in seen.ms.values() for ms in taken]
    answers = ", ".join(f"{n} of {status}" for status, n in sorted(seen.statuses.items()))
    print(f"answers   {answers}; {seen.n_lost} lost; {seen.n_bytes / len(every) / 1000:.1f} kB each")
    print(
        f"rate      {len(every) / taken_s:.0f} requests/s; {cpu_s * 1000 / len(every):.1f} ms of the server's processor time each"
    )
    print(f"{'route':<44}{'n':>7}{'p50 ms':>9}{'p99 ms':>9}")
    for route, taken in [*seen.ms.items(), ("all", every)]:
        cuts = quantiles(taken, n=100) if len(taken) > 1 else taken * 99
        print(f"{route:<44}{len(taken):>7}{cuts[49]:>9.1f}{cuts[98]:>9.1f}")
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
