"""How many objects a second a scan registers, asked for by themselves or not, and whether its memory stays flat.

python -m benchmarks.registering [--sizes N ...] [--asked N]
"""

from __future__ import annotations

import argparse
import os
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from benchmarks.protocol import print_protocol

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
BUCKET, N_PEOPLE = "objects", 500
FAR_S = 0.02
_PERSON, _NOTE = "person-0000", "2026-03-01_08-00_00000000.ogg"
Figures = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Place:
    """Where a child process finds bucket and database."""

    endpoint_url: str
    access_key: str
    secret_key: str
    database_url: str


def main() -> int:
    """Fill a bucket, register it in parts and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 50_000])
    parser.add_argument("--asked", type=int, default=2_000, help="objects of each run that asks for each of them")
    options = parser.parse_args()
    print_protocol(
        f"folders of {options.sizes} objects of one byte in SeaweedFS, registered on PostgreSQL by `scheduler.scan`; and two of "
        f"{options.asked}, each object asked for by HEAD, one by one and side by side, here "
        f"and from a store whose HEADs take {FAR_S * 1000:.0f} ms longer (a fifth of the objects)",
        order="one after the other, each in a process of its own; processor time of the scan, of PostgreSQL and of SeaweedFS",
    )
    measure(options.sizes, n_asked=options.asked)
    return 0


def measure(sizes: list[int], *, n_asked: int) -> Figures:
    """Fill, register and print; gives the figures by run."""
    runs = {f"not asked, {size}": (f"2026/{n + 10}", size, 0, 0.0) for n, size in enumerate(sizes)}
    runs |= {
        f"asked one by one, {n_asked}": ("2026/01", n_asked, 1, 0.0),
        f"asked 16 at once, {n_asked}": ("2026/02", n_asked, 16, 0.0),
    }
    n_far = n_asked // 5
    runs |= {f"{FAR_S * 1000:.0f} ms away, one by one, {n_far}": ("2026/03", n_far, 1, FAR_S)}
    runs |= {f"{FAR_S * 1000:.0f} ms away, 16 at once, {n_far}": ("2026/04", n_far, 16, FAR_S)}
    figures: Figures = {}
    with servers() as (place, ports, pids):
        for folder, size, *_ in runs.values():
            fill(place, ports, folder=folder, n_objects=size)
        for name, (folder, size, n_at_once, far_s) in runs.items():
            before = [processor_s(pid) for pid in pids]
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                found = process.submit(register, place, folder, n_at_once, far_s).result()
            spent = [processor_s(pid) - was for pid, was in zip(pids, before, strict=True)]
            if found["n_new"] != size:
                raise RuntimeError(f"{found['n_new']:.0f} of {size} objects were registered")
            us = {f"{who}_us": s * 1e6 / size for who, s in zip(("postgres", "store"), spent, strict=True)}
            figures[name] = found | us | {"load": os.getloadavg()[0]}
            tell(name, figures[name])
    return figures


def tell(name: str, found: dict[str, float]) -> None:
    """Print a run."""
    print(
        f"{name:<34}{found['n_new'] / found['wall_s']:>7.0f} objects/s; us of processor time an object: scan "
        f"{found['scan_us']:.0f}, PostgreSQL {found['postgres_us']:.0f}, SeaweedFS {found['store_us']:.0f}; memory "
        f"{found['rss_mib']:.0f} MiB, {found['grown_mib']:+.1f} since a fifth was done; load {found['load']:.1f}",
        flush=True,
    )


def register(place: Place, folder: str, n_at_once: int, far_s: float) -> dict[str, float]:
    """Scan a folder of the bucket in this process; `n_at_once` 0: without metadata. Each HEAD takes `far_s` longer."""
    from config.settings import DEFAULT_LAYOUTS  # noqa: PLC0415 - in the child alone
    from db.engine import make_engine  # noqa: PLC0415
    from scheduler.naming import Naming  # noqa: PLC0415
    from scheduler.scan import Scanned, scan  # noqa: PLC0415
    from storage import intake  # noqa: PLC0415
    from storage.objects import StoredObject  # noqa: PLC0415
    from storage.s3 import S3Store  # noqa: PLC0415

    wait = partial(time.sleep, far_s)

    class FarStore(S3Store):
        def head(self, key: str) -> StoredObject:
            wait()
            return super().head(key)

    store = FarStore(BUCKET, endpoint_url=place.endpoint_url, access_key=place.access_key, secret_key=place.secret_key)
    naming = Naming(pattern=DEFAULT_LAYOUTS, time_zone="UTC", reads_metadata=n_at_once > 0)
    intake.N_AT_ONCE = n_at_once or intake.N_AT_ONCE
    rss_mib: list[float] = []

    def look(_: Scanned) -> None:
        rss_mib.append(read_rss_mib())

    begun_s, spent_s = time.perf_counter(), time.process_time()
    seen = scan(make_engine(place.database_url), store, prefix=f"{folder}/", naming=naming, on_page=look)
    wall_s, spent_s = time.perf_counter() - begun_s, time.process_time() - spent_s
    at = {
        "rss_mib": max(rss_mib),
        "grown_mib": max(rss_mib[len(rss_mib) // 5 :]) - rss_mib[len(rss_mib) // 5],
    }
    return {"n_new": seen.n_new, "wall_s": wall_s, "scan_us": spent_s * 1e6 / max(seen.n_new, 1)} | at


def fill(place: Place, ports: dict[str, int], *, folder: str, n_objects: int) -> None:
    """Put one object and have the filer load the entries of all others, which are copies of it by another name."""
    import boto3  # noqa: PLC0415
    from servers.s3 import find_weed  # noqa: PLC0415

    client = boto3.client(
        "s3",
        endpoint_url=place.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=place.access_key,
        aws_secret_access_key=place.secret_key,
    )
    client.put_object(Bucket=BUCKET, Key=f"{folder}/{_PERSON}/{_NOTE}", Body=b"x")
    with tempfile.TemporaryDirectory() as scratch:
        one, many = Path(scratch) / "one.meta", Path(scratch) / "many.meta"
        master, filer = (
            f"-{name}=127.0.0.1:{ports[f'{name}.port']}.{ports[f'{name}.port.grpc']}" for name in ("master", "filer")
        )
        for line in (
            f"fs.meta.save -o {one} /buckets/{BUCKET}/{folder}",
            f"fs.meta.load -v=false -concurrency=4 {many}",
        ):
            if one.exists():
                many.write_bytes(b"".join(copies(one.read_bytes(), n_objects)))
            subprocess.run(
                [str(find_weed()), "shell", master, filer],
                input=f"{line}\nexit\n".encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=scratch,
                check=True,
            )


def copies(saved: bytes, n_objects: int) -> Iterator[bytes]:
    """Give the entries of folders and objects, each after its length in four bytes, as SeaweedFS saves them."""
    entries, at = [], 0
    while at < len(saved):
        (length,) = struct.unpack(">I", saved[at : at + 4])
        entries.append(saved[at + 4 : at + 4 + length])
        at += 4 + length
    note = next(entry for entry in entries if _NOTE.encode() in entry)
    person = next(entry for entry in entries if _NOTE.encode() not in entry and _PERSON.encode() in entry)
    names = [b"person-%04d" % n for n in range(N_PEOPLE)]
    made = [person.replace(_PERSON.encode(), name) for name in names]
    made += [
        note.replace(_PERSON.encode(), names[n % N_PEOPLE]).replace(b"00000000.ogg", b"%08d.ogg" % n)
        for n in range(n_objects)
    ]
    made += made[-1:] * 8  # the loader does not wait for its last ones
    return (struct.pack(">I", len(entry)) + entry for entry in made)


@contextmanager
def servers() -> Iterator[tuple[Place, dict[str, int], list[int]]]:
    """Start PostgreSQL, migrated, and SeaweedFS with a bucket; give the ports of the latter and the ids of both."""
    from servers import PostgresServer, S3Server  # noqa: PLC0415

    from db import migrate  # noqa: PLC0415
    from db.engine import make_engine  # noqa: PLC0415

    postgres, store = PostgresServer(), S3Server()
    try:
        for server in (postgres, store):
            server.start()
        with postgres.connect() as connection:
            connection.execute(b"CREATE DATABASE registering")
        url = postgres.url_of("registering")
        migrate.upgrade(make_engine(url))
        access = store.access(BUCKET)
        access.client().create_bucket(Bucket=BUCKET)
        place = Place(access.endpoint_url, access.access_key, access.secret_key, url)
        names = [f"{role}.port{kind}" for role in ("s3", "master", "volume", "filer") for kind in ("", ".grpc")]
        yield place, dict(zip(names, store.ports, strict=True)), [postgres.pid, store.pid]
    finally:
        for server in (store, postgres):
            server.close()


def processor_s(pid: int) -> float:
    """Read what a process and its children that ended have spent."""
    numbers = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, numbers[11:15])) / os.sysconf("SC_CLK_TCK")


def read_rss_mib() -> float:
    """Read what this process holds in memory now."""
    return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    sys.exit(main())
