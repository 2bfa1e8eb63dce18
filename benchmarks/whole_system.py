"""The whole system (scan, Redis, PostgreSQL, S3, rows) held against the bare pipeline on the same notes, in one run.

python -m benchmarks.whole_system [--notes-15s N] [--notes-2s N] [--processes N]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.process_time import read_cpu_s
from benchmarks.protocol import print_protocol
from config.settings import Settings
from db import history, migrate
from db.engine import make_engine
from db.reasons import JobState
from scheduler.app import make_app
from scheduler.service import Service
from tonalog.bundles import default_bundle
from tonalog.session import ensure_model
from worker.audio.decode import Limits
from worker.limits import limits_of
from worker.scoring.bundle import load_bundle
from worker.scoring.pipeline import score_recording
from worker.scoring.scorer import Scorer

ROOT = Path(__file__).resolve().parent.parent
SPEECH = ROOT / "examples" / "notes" / "vera" / "2026-03-05T06-58-20Z.wav"
AS_PIPELINE = "--as-pipeline"
RATE_HZ = 48_000  # what phones record Opus at
N_WARM_UP = 16  # notes that come first, so that every process has built its session
N_DIFFERENT = 24
WAIT_S = 240.0
LOOK_S = 0.25


def main() -> int:
    """Measure and print, or be a process of the bare pipeline."""
    if AS_PIPELINE in sys.argv:
        return be_pipeline(Path(sys.argv[-1]))
    options = read_options()
    print_protocol(
        f"{options.notes_15s} notes of 15 s and {options.notes_2s} of 2 s, Opus, {options.processes} worker processes; "
        "of the system the scan, the scheduler, the worker and the three servers count",
        order="bare pipeline, system, bare pipeline; both have scored before the clock begins",
    )
    figures = measure(n_15s=options.notes_15s, n_2s=options.notes_2s, n_processes=options.processes)
    print(json.dumps(figures, indent=2))
    return 0


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--notes-15s", type=int, default=200)
    parser.add_argument("--notes-2s", type=int, default=600)
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args()


def measure(*, n_15s: int = 200, n_2s: int = 600, n_processes: int = 2) -> dict[str, Any]:
    """Measure both lengths.

    Args:
        n_15s: notes of 15 s, 1 or more.
        n_2s: notes of 2 s, 1 or more.
        n_processes: of the worker, and of the bare pipeline.

    Returns:
        `system_over_pipeline_15s` and `_2s`: processor time of the bare pipeline over that of all processes of the system,
        which is what throughput on a machine comes to whose cores are all busy. Beside them the same of wall times
        (`_wall`), which says little where others use the machine, with the worker alone in place of the system
        (`_worker`), and milliseconds of each process a note.
    """
    figures: dict[str, Any] = {"load": os.getloadavg()[0], "n_processes": n_processes}
    with servers() as started:
        for name, length_s, n_notes in (("15s", 15.0, n_15s), ("2s", 2.0, n_2s)):
            notes = make_notes(N_WARM_UP + n_notes, length_s=length_s)
            bare = [run_pipeline(notes, n_processes=n_processes)]
            system = run_system(started, notes, n_processes=n_processes)
            bare.append(run_pipeline(notes, n_processes=n_processes))
            cpu_s, wall_s = (sum(run[key] for run in bare) / len(bare) for key in ("cpu_s", "wall_s"))
            whole_s = sum(system["cpu_s"].values())
            figures[f"system_over_pipeline_{name}"] = cpu_s / whole_s
            figures[f"system_over_pipeline_{name}_worker"] = cpu_s / system["cpu_s"]["worker"]
            figures[f"system_over_pipeline_{name}_wall"] = wall_s / system["wall_s"]
            ms = {part: 1000 * spent_s / n_notes for part, spent_s in system["cpu_s"].items()}
            figures[f"ms_per_note_{name}"] = {"bare pipeline": 1000 * cpu_s / n_notes, **ms}
    return figures


@contextmanager
def servers() -> Iterator[dict[str, Any]]:
    """Start the test suite's PostgreSQL, Redis and S3."""
    sys.path.insert(0, str(ROOT / "tests"))
    from servers import PostgresServer, RedisServer, S3Server  # noqa: PLC0415 - of the tests

    with ExitStack() as stack:
        started = {"PostgreSQL": PostgresServer(), "Redis": RedisServer(is_persistent=True), "S3": S3Server()}
        for server in started.values():
            stack.callback(server.close)
            server.start()
        yield started


def make_notes(n_notes: int, *, length_s: float) -> list[bytes]:
    """Cut notes of one length out of a recording of speech, as Ogg Opus; after some different ones they come again."""
    speech, rate_hz = soundfile.read(SPEECH, dtype="float32")
    speech = np.tile(speech, max(2, int(np.ceil(2 * length_s * rate_hz / len(speech)))))
    rng = np.random.default_rng(15)
    notes = []
    for _ in range(min(n_notes, N_DIFFERENT)):
        first = int(rng.integers(0, len(speech) - int(length_s * rate_hz)))
        piece = np.interp(
            np.arange(int(length_s * RATE_HZ)) * rate_hz / RATE_HZ + first, np.arange(len(speech)), speech
        )
        made = io.BytesIO()
        soundfile.write(made, piece.astype(np.float32), RATE_HZ, format="OGG", subtype="OPUS")
        notes.append(made.getvalue())
    return [notes[number % len(notes)] for number in range(n_notes)]


def run_pipeline(notes: Sequence[bytes], *, n_processes: int) -> dict[str, float]:
    """Score notes in processes that share nothing; wall time is that of the slowest."""
    with tempfile.TemporaryDirectory() as folder:
        commands = []
        for number in range(n_processes):
            part = Path(folder) / str(number)
            part.mkdir()
            for place, note in enumerate([*notes[:N_WARM_UP], *notes[N_WARM_UP + number :: n_processes]]):
                (part / f"{place:06}.ogg").write_bytes(note)
            commands.append([sys.executable, "-m", "benchmarks.whole_system", AS_PIPELINE, str(part)])
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": ROOT, "text": True}
        processes = [subprocess.Popen(command, **pipes) for command in commands]  # type: ignore[call-overload]
        for process in processes:
            process.stdout.readline()  # it is ready
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        ended = [json.loads(process.communicate()[0]) for process in processes]
    return {"cpu_s": sum(one["cpu_s"] for one in ended), "wall_s": max(one["wall_s"] for one in ended)}


def be_pipeline(folder: Path) -> int:
    """Score a folder's notes with nothing around, the first ones before the clock begins."""
    settings = Settings.read()
    scorer, limits = Scorer(load_bundle(default_bundle(settings)), threads=1), limits_of(settings)
    notes = [file.read_bytes() for file in sorted(folder.iterdir())]
    score_all(notes[:N_WARM_UP], scorer, limits)
    print("ready", flush=True)
    sys.stdin.readline()
    cpu_s, wall_s = time.process_time(), time.monotonic()
    score_all(notes[N_WARM_UP:], scorer, limits)
    print(json.dumps({"cpu_s": time.process_time() - cpu_s, "wall_s": time.monotonic() - wall_s}))
    return 0


def score_all(notes: Sequence[bytes], scorer: Scorer, limits: Limits) -> None:
    """Score notes one after the other."""
    for note in notes:
        score_recording(io.BytesIO(note), scorer, limits=limits)


def run_system(started: dict[str, Any], notes: Sequence[bytes], *, n_processes: int) -> dict[str, Any]:
    """Let the system score notes from the scan to the last row, on an empty database and bucket of its own."""
    with (
        started["PostgreSQL"].fresh_database() as database_url,
        started["S3"].fresh_bucket() as bucket,
        tempfile.TemporaryDirectory() as home,
        ExitStack() as stack,
    ):
        settings = Settings.read(
            home=Path(home),
            database_url=database_url,
            broker_url=started["Redis"].url,
            storage_url=f"s3://{bucket.bucket}",
            s3_endpoint_url=bucket.endpoint_url,
            s3_access_key=bucket.access_key,
            s3_secret_key=bucket.secret_key,
            worker_concurrency=n_processes,
            sweep_s=1.0,
        )
        engine = make_engine(settings.database)
        migrate.upgrade(engine)
        ensure_model(engine, settings)
        roots = {name: [server.pid] for name, server in started.items()}
        for name in ("scheduler", "worker"):
            process = start(name, settings)
            stack.callback(end, process)
            roots[name] = [process.pid]
        roots["scan"] = [os.getpid()]
        service = Service(settings, make_app(settings))
        client = bucket.client()
        put(client, bucket.bucket, "first", notes[:N_WARM_UP])
        score(service, engine, N_WARM_UP)
        put(client, bucket.bucket, "second", notes[N_WARM_UP:])
        spent_s = {name: read_cpu_s(pids) for name, pids in roots.items() if name != "scan"}
        own_s, began_s = time.process_time(), time.monotonic()
        score(service, engine, len(notes))
        wall_s = time.monotonic() - began_s
        spent = {name: read_cpu_s(roots[name]) - before_s for name, before_s in spent_s.items()}
        return {"wall_s": wall_s, "cpu_s": {**spent, "scan": time.process_time() - own_s}}


def put(client: Any, bucket: str, prefix: str, notes: Sequence[bytes]) -> None:
    """Upload notes of twenty persons."""
    for number, note in enumerate(notes):
        client.put_object(Bucket=bucket, Key=f"{prefix}-{number % 20:02}/{number:06}.ogg", Body=note)


def score(service: Service, engine: Any, n_all: int) -> None:
    """Scan, and wait until so many jobs are done; the scheduler publishes them."""
    service.scan_and_queue()
    service.publish()
    deadline = time.monotonic() + WAIT_S
    while (n_done := history.counts(engine).by_state.get(JobState.DONE, 0)) < n_all:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{n_done} of {n_all} notes were scored within {WAIT_S:.0f} s")
        time.sleep(LOOK_S)


def start(name: str, settings: Settings) -> subprocess.Popen[bytes]:
    """Start `tonalog scheduler` or `tonalog worker`."""
    environment = {**os.environ, **settings.as_environment()}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-m", "tonalog", name], env=environment, cwd=ROOT, **quiet)  # type: ignore[call-overload, no-any-return]


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that `start` made, and wait for it."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
