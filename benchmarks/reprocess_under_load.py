"""A reprocess beside nightly notes on real servers: how much later the nightly results come, and whether anything is lost.

python benchmarks/reprocess_under_load.py [--notes N] [--nightly N] [--rounds N] [--processes N]
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import psycopg
import soundfile
from protocol import print_protocol

from db import jobs, ledger, models, pump
from db.engine import make_engine
from db.reasons import Lane, ResultStatus
from db.rows import NewResult

ROOT = Path(__file__).resolve().parent.parent
VERSION = "9.9.9"
MOST = 1.1
NOTE_S = 3.0
WAIT_S = 3_600
N_KILLS = 2
MEASURED = ("latency_s", "wait_s", "run_s", "first_s", "night_s")
OF_NIGHT = """
    SELECT extract(epoch FROM s.created_at - j.created_at), extract(epoch FROM s.created_at), extract(epoch FROM j.created_at),
        extract(epoch FROM a.started_at - j.created_at), extract(epoch FROM s.created_at - a.started_at)
    FROM jobs j JOIN recordings r ON r.id = j.recording_id
    JOIN results s ON s.recording_id = j.recording_id AND s.model_id = j.model_id
    JOIN attempts a ON a.token = s.token
    WHERE j.lane = 'nightly' AND r.key LIKE %s
"""


def main() -> int:
    """Measure once and print the figures; exit 1 where nightly work came later than allowed, or something was lost."""
    options = read_options()
    print_protocol(
        f"{options.notes} recordings of {NOTE_S:.0f} s reprocessed on Redis, PostgreSQL and S3 by {options.processes} worker "
        f"processes; {options.rounds} nights of {options.nightly} notes while the batch is paused and as many while it goes on",
        order="the two kinds of night in turn, changing who is first; from a job's row to its result's row, by PostgreSQL's clock",
    )
    with servers() as variables, tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder), variables, options)
        try:
            run.prepare()
            nights = run.nights()
            n_lost = run.finish()
        finally:
            run.close()
    report(nights, n_lost)
    ratio = mean(nights["going on"]["latency_s"]) / mean(nights["paused"]["latency_s"])
    return int(ratio > MOST or n_lost > 0)


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--notes", type=int, default=2000, help="recordings that are reprocessed")
    parser.add_argument("--nightly", type=int, default=100, help="notes of one night")
    parser.add_argument("--rounds", type=int, default=3, help="nights of each kind")
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args()


@contextmanager
def servers() -> Iterator[dict[str, str]]:
    """Start the test suite's Redis, PostgreSQL and S3; give the settings that reach them."""
    sys.path.insert(0, str(ROOT / "tests"))
    from servers import PostgresServer, RedisServer, S3Server  # noqa: PLC0415

    started = [PostgresServer(), RedisServer(is_persistent=True), S3Server()]
    try:
        for server in started:
            server.start()
        postgres, redis, s3 = started
        with postgres.fresh_database() as database_url, s3.fresh_bucket() as bucket:
            yield {
                "TONALOG_DATABASE_URL": database_url,
                "TONALOG_BROKER_URL": redis.url,
                "TONALOG_STORAGE_URL": f"s3://{bucket.bucket}",
                "TONALOG_S3_ENDPOINT_URL": bucket.endpoint_url,
                "TONALOG_S3_ACCESS_KEY": bucket.access_key,
                "TONALOG_S3_SECRET_KEY": bucket.secret_key,
                "TONALOG_SWEEP_S": "1",
                "TONALOG_LEASE_S": "10",
                "TONALOG_HEARTBEAT_S": "2",
            }
    finally:
        for server in reversed(started):
            server.close()


class Run:
    """One measurement: a scheduler and a worker as operators start them, a batch, and nights that come meanwhile."""

    def __init__(self, folder: Path, variables: dict[str, str], options: argparse.Namespace) -> None:
        from command import Cli, kill_tree, wait_until  # noqa: PLC0415 - of the test suite
        from servers import S3Access  # noqa: PLC0415

        self.cli = Cli(folder, variables)
        self.options = options
        self._kill_tree, self._wait_until = kill_tree, wait_until
        self._url = variables["TONALOG_DATABASE_URL"].replace("postgresql+psycopg", "postgresql")
        self._engine = make_engine(variables["TONALOG_DATABASE_URL"])
        self._bucket = variables["TONALOG_STORAGE_URL"].removeprefix("s3://")
        names = ("endpoint_url", "access_key", "secret_key")
        self._s3 = S3Access(bucket=self._bucket, **{name: variables[f"TONALOG_S3_{name.upper()}"] for name in names})
        self._rng = np.random.default_rng(14)
        self._speech, self._rate_hz = soundfile.read(ROOT / "examples/notes/vera/2026-03-05T06-58-20Z.wav")
        self._processes: dict[str, Any] = {}
        self._n_nights = 0

    def prepare(self) -> None:
        """Fill the bucket, give every recording a result of the shipped model, and make a batch of another version."""
        self.cli("db", "upgrade")
        self._upload("old", self.options.notes)
        self.cli("scan", timeout=WAIT_S)
        self._score_by_hand()
        self.cli("models", "add", newer_bundle(self.cli.folder))
        print(self.cli("reprocess", "--model", VERSION, timeout=WAIT_S).replace("\n", "\n  "))
        self._start("scheduler")
        self._start("worker")
        self._wait(
            lambda: self._ask("SELECT count(*) FROM results WHERE model_id = 2")[0][0] >= 2 * self.options.processes
        )

    def nights(self) -> dict[str, dict[str, list[float]]]:
        """Let nights come in turn while the batch is paused and while it goes on; kill the worker twice in between."""
        found: dict[str, dict[str, list[float]]] = {
            kind: {name: [] for name in MEASURED} for kind in ("paused", "going on")
        }
        self._night(found["paused"], is_counted=False)  # the first one loads the active model
        n_kills = 0
        for number in range(self.options.rounds):
            for kind in ("paused", "going on") if number % 2 == 0 else ("going on", "paused"):
                self._hold_up(kind)
                self._night(found[kind])
                if n_kills < N_KILLS:
                    self._kill_in_the_middle()
                    n_kills += 1
                    # A fresh worker loads the active model with its first nightly note, in either kind of night.
                    self._hold_up("paused")
                    self._night(found["paused"], is_counted=False)
        return found

    def finish(self) -> int:
        """Let the batch end, switch readers over and back, and count what was lost."""
        if self._ask("SELECT state FROM batches WHERE id = 1") == [("PAUSED",)]:
            self.cli("batches", "resume", "1")
        self._wait_for_batch(1)
        self.cli("reprocess", "--model", VERSION)  # the notes that came meanwhile
        self._wait_for_batch(2)
        rows = "SELECT DISTINCT model_version FROM v1_note WHERE recording_id <= %s"
        print(self.cli("models", "activate", VERSION).strip(), self._ask(rows, self.options.notes))
        print(
            self.cli("models", "activate", self._shipped_version(), "--force").strip(),
            self._ask(rows, self.options.notes),
        )
        n_nightly = self._n_nights * self.options.nightly
        n_new = self._ask("SELECT count(*) FROM results WHERE model_id = 2")[0][0]
        n_old = self._ask("SELECT count(*) FROM results WHERE model_id = 1")[0][0]
        n_lost_leases = self._ask("SELECT count(*) FROM attempts WHERE outcome = 'LOST'")[0][0]
        print(
            f"results: {n_new} of the new model, {n_old} of the active model; attempts that were lost by kills: {n_lost_leases}"
        )
        n_recordings = self.options.notes + n_nightly
        return int(abs(n_recordings - n_new) + abs(n_recordings - n_old))

    def close(self) -> None:
        """Kill what was started."""
        for name in tuple(self._processes):
            self._kill(name)

    def _wait_for_batch(self, batch_id: int) -> None:
        told = ("batches", "show", str(batch_id))
        self._wait(lambda: json.loads(self.cli(*told, "--json"))["finished_at"])
        print(self.cli(*told))

    def _hold_up(self, kind: str) -> None:
        if kind == "paused":
            self.cli("batches", "pause", "1")
            self._wait(lambda: self._count("bulk", "RUNNING") == 0)
            return
        self._resume()
        self._wait(lambda: self._require_work() and self._count("bulk", "RUNNING") >= self.options.processes)

    def _resume(self) -> None:
        self._require_work()
        self.cli("batches", "resume", "1")

    def _require_work(self) -> bool:
        n_left = self._ask("SELECT count(*) FROM jobs WHERE batch_id = 1 AND finished_at IS NULL")[0][0]
        if n_left < 2 * self.options.processes:
            raise SystemExit("the batch was over before the nights were: give more --notes")
        return True

    def _night(self, found: dict[str, list[float]], *, is_counted: bool = True) -> None:
        name = f"night-{self._n_nights:02}"
        self._n_nights += 1
        self._upload(name, self.options.nightly)
        self.cli("scan", timeout=WAIT_S)
        self._wait(lambda: len(self._ask(OF_NIGHT, f"{name}/%")) == self.options.nightly)
        rows = self._ask(OF_NIGHT, f"{name}/%")
        if is_counted:
            found["latency_s"] += [float(row[0]) for row in rows]
            found["wait_s"] += [float(row[3]) for row in rows]
            found["run_s"] += [float(row[4]) for row in rows]
            found["first_s"].append(float(min(row[3] for row in rows)))
            found["night_s"].append(float(max(row[1] for row in rows) - min(row[2] for row in rows)))

    def _kill_in_the_middle(self) -> None:
        self._resume()
        self._wait(lambda: self._require_work() and self._count("bulk", "RUNNING") > 0)
        self._kill("worker")
        self._start("worker")
        lost = "SELECT count(*) FROM jobs WHERE state = 'RUNNING' AND lease_until_s < extract(epoch FROM now())"
        n_done = self._ask("SELECT count(*) FROM results WHERE model_id = 2")[0][0]
        self._wait(lambda: self._ask("SELECT count(*) FROM results WHERE model_id = 2")[0][0] > n_done + 4)
        self._wait(lambda: self._ask(lost)[0][0] == 0)

    def _upload(self, prefix: str, n: int) -> None:
        client = self._s3.client()
        n_samples = int(NOTE_S * self._rate_hz)
        for number in range(n):
            start = int(self._rng.integers(0, len(self._speech) - n_samples))
            made = io.BytesIO()
            piece = self._speech[start : start + n_samples] * self._rng.uniform(0.5, 1.0)
            soundfile.write(made, piece, self._rate_hz, format="WAV", subtype="PCM_16")
            client.put_object(Bucket=self._bucket, Key=f"{prefix}/{number:05}.wav", Body=made.getvalue())

    def _score_by_hand(self) -> None:
        """Give each recording a result of the active model without scoring it: only the reprocess is measured."""
        nothing = NewResult(
            status=ResultStatus.NO_SPEECH, duration_ms=round(NOTE_S * 1000), speech_ms=0, rejected_ms=0, n_windows=0
        )
        active = models.active_model(self._engine)
        assert active is not None
        jobs.create_jobs(self._engine, active.id, lane=Lane.NIGHTLY)
        for (job_id,) in self._ask("SELECT id FROM jobs WHERE state IN ('PENDING', 'QUEUED')"):
            claim = ledger.claim(self._engine, job_id, worker="by hand", lease_s=60.0)
            assert claim is not None
            ledger.finish(self._engine, claim, nothing)
        assert not pump.due_jobs(self._engine, cap_outstanding=1, limit=1)

    def _start(self, name: str) -> None:
        given = ("--concurrency", str(self.options.processes)) if name == "worker" else ()
        self._processes[name] = self.cli.start(name, *given, log=f"{name}.log")

    def _kill(self, name: str) -> None:
        self._kill_tree(self._processes.pop(name))

    def _wait(self, condition: Any) -> None:
        if not self._wait_until(condition, timeout_s=WAIT_S, every_s=0.5):
            raise SystemExit(f"nothing came of it in {WAIT_S} s:\n{self.cli.worker_log()}")

    def _count(self, lane: str, state: str) -> int:
        return int(self._ask("SELECT count(*) FROM jobs WHERE lane = %s AND state = %s", lane, state)[0][0])

    def _ask(self, statement: str, *values: object) -> list[Any]:
        with psycopg.connect(self._url) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def _shipped_version(self) -> str:
        return str(self._ask("SELECT version FROM models WHERE id = 1")[0][0])


def newer_bundle(folder: Path) -> Path:
    """Copy the shipped bundle under another version: the same work for each note, and a second model in each process."""
    shipped = max((ROOT / "models").glob("*/manifest.json"), key=lambda path: path.parent.name).parent
    copy = folder / f"new-{VERSION}"
    shutil.copytree(shipped, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, "version": VERSION}))
    return copy


def report(nights: dict[str, dict[str, list[float]]], n_lost: int) -> None:
    """Print the figures."""
    print()
    for kind, found in nights.items():
        of_nights = ", ".join(f"{seconds:.1f}" for seconds in found["night_s"])
        latency = f"mean latency {mean(found['latency_s']):.2f} s, longest {max(found['latency_s']):.2f} s"
        latency += f" (waited {mean(found['wait_s']):.2f} s, the first of a night {mean(found['first_s']):.2f} s; "
        latency += f"ran {1000 * mean(found['run_s']):.0f} ms)"
        print(f"{kind:<9} {latency}; nights {of_nights} s")
    for name, words in (("latency_s", "mean latency of a nightly note"), ("night_s", "length of a night")):
        print(
            f"{words}: {mean(nights['going on'][name]) / mean(nights['paused'][name]):.3f} times that while the batch is paused"
        )
    print(f"lost or double: {n_lost}")


if __name__ == "__main__":
    sys.exit(main())
