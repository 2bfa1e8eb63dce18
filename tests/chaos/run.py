"""One chaos run: real processes on one backend, faults drawn from a seed, and the checks of what is left behind."""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, select

from config.settings import Settings
from db import history, models
from db.engine import make_engine, reading
from db.errors import DatabaseError
from db.migrate import upgrade
from db.reasons import JobState
from db.schema import jobs
from scheduler.app import make_app
from tests.chaos import faults, invariants
from tests.chaos.backends import Backend, Stack, running
from tests.chaos.faults import Mend, Planned, World
from tests.chaos.feeder import CANARY, Feeder
from tests.chaos.notes import make_notes
from tests.chaos.processes import Supervised
from tests.chaos.rows import History, read_history
from tests.unit.bundles import write_bundle
from tonalog.session import register_bundle

N_WORKERS = 2
TICK_S = 0.05
LOOK_S = 0.25
SCAN_S = 5.0
# A poisoned recording needs five leases and a few sweeps to its end, whatever else happens.
POISON_SHARE = 0.5
# On a busy machine killed processes take their time to come back, and faults wait for them; up to so many times longer.
LONGEST = 2.0
SETTINGS = {
    "TONALOG_LEASE_S": "4",
    "TONALOG_HEARTBEAT_S": "1",
    "TONALOG_SWEEP_S": "1",
    "TONALOG_RERING_S": "2",
    "TONALOG_BACKOFF_S": "0.5",
    "TONALOG_WATCHDOG_S": "10",
    "TONALOG_SOFT_TIME_LIMIT_S": "6",
    "TONALOG_TIME_LIMIT_S": "9",
    "TONALOG_WORKER_CONCURRENCY": "2",
    "TONALOG_NIGHTLY_CRONTAB": "* * * * *",
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What kind of run: faults for `seconds`, one about every `every_s`, then at most `limit_s` to converge."""

    backend: Backend
    seed: int
    seconds: float
    every_s: float
    limit_s: float


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a run did and what it left behind; `convergence_s` is None when it did not get there in time.

    `n_refused` are attempts that came back after their lease was lost and found that they could write nothing.
    """

    options: Options
    faults: Counter[str]
    spoilt: Counter[str]
    n_jobs: int
    n_results: int
    n_lost: int
    n_duplicates: int
    n_foreign: int
    n_innocent_dead: int
    n_reruns: int
    n_refused: int
    n_restarts: int
    convergence_s: float | None
    broken: dict[str, list[str]]

    @property
    def is_sound(self) -> bool:
        """Whether every invariant holds."""
        return not self.broken


def run_chaos(options: Options, folder: Path) -> Report:
    """Run once in an empty folder, which keeps logs and database afterwards.

    Raises:
        MissingServerError: a server of the backend is not installed.
    """
    with ExitStack() as stack:
        stack.callback(setattr, tempfile, "tempdir", tempfile.tempdir)  # a file queue's client moves it
        place = stack.enter_context(running(options.backend, folder))
        run = _Run(options, folder, place)
        stack.callback(run.close)
        return run.go()


class _Run:
    """The processes of one run and its clock."""

    def __init__(self, options: Options, folder: Path, place: Stack) -> None:
        self._options = options
        self._folder = folder
        self._mends: list[tuple[float, str, Mend]] = []
        self._faults: Counter[str] = Counter()
        self._stop = threading.Event()
        self._failure: list[BaseException] = []
        notes_folder, bundle = folder / "notes", write_bundle(folder / "tiny-0.0.1")
        notes_folder.mkdir()
        variables = {**SETTINGS, **place.variables, "TONALOG_HOME": str(folder / "home")}
        variables |= {"TONALOG_STORAGE_URL": str(notes_folder), "TONALOG_MODEL_DIR": str(bundle)}
        self._settings = _as_settings(variables)
        self._engine = _prepare(self._settings, bundle)
        self._feeder = Feeder(self._settings, self._engine, make_notes(bundle, seed=options.seed), seed=options.seed)
        self._workers = [
            self._supervise(f"worker-{n}", "tests.chaos.poisoned_worker worker", variables) for n in range(N_WORKERS)
        ]
        self._scheduler = self._supervise("scheduler", "tonalog scheduler", variables)
        self._world = World(
            place, self._workers, self._scheduler, make_app(self._settings), self._known_jobs, self._busy
        )

    def go(self) -> Report:
        """Feed and hurt for the time given, wait for the end of every job, and check."""
        options = self._options
        for process in self._processes:
            process.start()
        self._wait_until_working()
        feeding = threading.Thread(target=self._feed, name="feeder", daemon=True)
        feeding.start()
        self._hurt(faults.plan(options.backend, seed=options.seed, seconds=options.seconds, every_s=options.every_s))
        self._stop.set()
        feeding.join()
        convergence_s = self._converge()
        if self._failure:
            raise self._failure[0]
        return self._report(convergence_s)

    def close(self) -> None:
        """Kill every process."""
        self._stop.set()
        for process in self._processes:
            process.close()

    @property
    def _processes(self) -> list[Supervised]:
        return [*self._workers, self._scheduler]

    def _supervise(self, name: str, module: str, variables: dict[str, str]) -> Supervised:
        command = [sys.executable, "-m", *module.split()]
        return Supervised(name, command, variables=variables, log=self._folder / f"{name}.log")

    def _feed(self) -> None:
        try:
            self._feeder.feed_until(self._stop, poison_until_s=POISON_SHARE * self._options.seconds)
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            self._failure.append(error)

    def _wait_until_working(self) -> None:
        """Faults before the first result would only test how a start is repeated."""
        self._feeder.bring_wave(may_poison=False)
        deadline_s = time.monotonic() + self._options.limit_s
        while not history.counts(self._engine).by_state.get(JobState.DONE, 0):
            assert time.monotonic() < deadline_s, "no job was done before the first fault"
            self._tick()
            time.sleep(LOOK_S)

    def _hurt(self, planned: list[Planned]) -> None:
        begun_s = time.monotonic()
        waiting = list(planned)
        while waiting or self._mends or time.monotonic() - begun_s < self._options.seconds:
            passed_s = time.monotonic() - begun_s
            if passed_s > LONGEST * self._options.seconds:
                waiting.clear()
            due = next((one for one in waiting if one.at_s <= passed_s and self._can_hurt(one.fault.target)), None)
            if due is not None:
                waiting.remove(due)
                self._inject(due)
            self._tick()
            time.sleep(TICK_S)

    def _can_hurt(self, target: str) -> bool:
        is_hurt = any(target == hurt for _, hurt, _ in self._mends)
        return not is_hurt and self._world.can_be_hurt(target)

    def _inject(self, planned: Planned) -> None:
        mend = planned.fault.act(self._world, random.Random(planned.seed))
        self._faults[planned.fault.kind] += 1
        if mend is not None:
            self._mends.append((time.monotonic() + mend.after_s, planned.fault.target, mend))

    def _tick(self) -> None:
        for process in self._processes:
            process.keep_alive()
        now_s = time.monotonic()
        for item in [item for item in self._mends if item[0] <= now_s]:
            self._mends.remove(item)
            item[2].act()

    def _converge(self) -> float | None:
        begun_s = time.monotonic()
        scan_at_s = begun_s
        while (now_s := time.monotonic()) < begun_s + self._options.limit_s:
            self._tick()
            if now_s >= scan_at_s:
                self._feeder.scan()  # an old listing may have been registered last; the next scan puts it right
                self._feeder.finish_erasures()
                scan_at_s = time.monotonic() + SCAN_S
            try:
                if history.counts(self._engine).n_unfinished == 0:
                    return time.monotonic() - begun_s
            except DatabaseError:
                pass  # it is only just back
            time.sleep(LOOK_S)
        return None

    def _known_jobs(self) -> list[int]:
        try:
            with reading(self._engine) as connection:
                return list(connection.scalars(select(jobs.c.id).order_by(jobs.c.id)))
        except DatabaseError:
            return []

    def _busy(self) -> list[int]:
        try:
            with reading(self._engine) as connection:
                names = connection.scalars(select(jobs.c.worker).where(jobs.c.state == JobState.RUNNING)).all()
        except DatabaseError:
            return []
        return [int(name.rpartition(":")[2]) for name in names if name]

    def _report(self, convergence_s: float | None) -> Report:
        feeder = self._feeder
        left = read_history(
            self._engine,
            expected=feeder.expected,
            erased=frozenset(feeder.erased),
            erased_keys=frozenset(feeder.erased_keys),
        )
        found = {name: check(left) for name, check in invariants.CHECKS.items()}
        found["no name in a log"] = self._names_in_logs()
        broken = {name: sentences for name, sentences in found.items() if sentences}
        return Report(
            options=self._options,
            faults=self._faults,
            spoilt=feeder.injected,
            n_jobs=len(left.jobs),
            n_results=len(left.results),
            n_lost=invariants.count_lost(left),
            n_duplicates=invariants.count_duplicates(left),
            n_foreign=len(invariants.check_results_are_their_owners(left)),
            n_innocent_dead=invariants.count_innocent_dead(left),
            n_reruns=_count_reruns(left),
            n_refused=sum("lease lost" in line for line in self._log_lines()),
            n_restarts=sum(process.exit_codes.total() for process in self._processes),
            convergence_s=convergence_s,
            broken=broken,
        )

    def _log_lines(self) -> Iterator[str]:
        for log in sorted(self._folder.glob("*.log")):
            with log.open(errors="replace") as lines:
                yield from lines

    def _names_in_logs(self) -> list[str]:
        return [f"a log holds a key: {line.strip()}" for line in self._log_lines() if f"{CANARY}-" in line]


def _as_settings(variables: dict[str, str]) -> Settings:
    return Settings.read(**{name.removeprefix("TONALOG_").lower(): value for name, value in variables.items()})


def _prepare(settings: Settings, bundle: Path) -> Engine:
    engine = make_engine(settings.database)
    upgrade(engine)
    models.activate(engine, register_bundle(engine, bundle).id)
    return engine


def _count_reruns(left: History) -> int:
    return sum(attempt.n > 1 for attempt in left.attempts)
