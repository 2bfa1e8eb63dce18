"""Real workers and a scheduler on one backend, kept alive as a supervisor keeps them; whoever holds it hurts them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import Engine, select

from config.settings import Settings
from db import history, models
from db.engine import make_engine, reading
from db.errors import DatabaseError
from db.migrate import upgrade
from db.reasons import JobState
from db.schema import jobs
from tests.chaos.backends import Backend, Stack, running
from tests.chaos.feeder import Feeder
from tests.chaos.notes import make_notes
from tests.chaos.processes import Supervised
from tests.chaos.rows import History, read_history
from tests.unit.bundles import write_bundle
from tonalog.session import register_bundle

LOOK_S = 0.25
SCAN_S = 5.0
SETTINGS = {
    "TONALOG_LEASE_S": "4",
    "TONALOG_HEARTBEAT_S": "1",
    "TONALOG_SWEEP_S": "1",
    "TONALOG_REDELIVER_S": "2",
    "TONALOG_BACKOFF_S": "0.5",
    "TONALOG_WATCHDOG_S": "10",
    "TONALOG_SOFT_TIME_LIMIT_S": "6",
    "TONALOG_TIME_LIMIT_S": "9",
    "TONALOG_WORKER_CONCURRENCY": "2",
    "TONALOG_NIGHTLY_CRONTAB": "* * * * *",
}


class Stage:
    """The processes, the settings that they run with, a ledger to look at and a feeder of recordings."""

    def __init__(
        self,
        place: Stack,
        folder: Path,
        *,
        seed: int,
        n_workers: int = 2,
        changes: Mapping[str, str] = MappingProxyType({}),
        clocks_h: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """Get ready in an empty folder; nothing runs before `start`.

        Args:
            place: the servers.
            folder: where database, queue, recordings and logs go.
            seed: of the recordings.
            n_workers: worker processes, each with a pool of two.
            changes: variables other than those of SETTINGS.
            clocks_h: by how many hours the clocks of "worker" and "scheduler" are off.
        """
        self.place = place
        self.folder = folder
        notes_folder, bundle = folder / "notes", write_bundle(folder / "tiny-0.0.1")
        notes_folder.mkdir()
        variables = {**SETTINGS, **place.variables, **changes, "TONALOG_HOME": str(folder / "home")}
        variables |= {"TONALOG_STORAGE_URL": str(notes_folder), "TONALOG_MODEL_DIR": str(bundle)}
        self.settings = Settings.read(**{name.removeprefix("TONALOG_").lower(): v for name, v in variables.items()})
        self.engine = _prepare(self.settings, bundle)
        self.feeder = Feeder(self.settings, self.engine, make_notes(bundle, seed=seed), seed=seed)
        commands = {"worker": "tests.chaos.poisoned_worker worker", "scheduler": "tonalog scheduler"}
        for name, hours in clocks_h.items():
            commands[name] = f"tests.chaos.skewed {hours} {commands[name]}"
        self.workers = [self._supervise(f"worker-{n}", commands["worker"], variables) for n in range(n_workers)]
        self.scheduler = self._supervise("scheduler", commands["scheduler"], variables)

    @property
    def processes(self) -> list[Supervised]:
        """Workers and scheduler."""
        return [*self.workers, self.scheduler]

    def start(self) -> None:
        """Start every process."""
        for process in self.processes:
            process.start()

    def tick(self) -> None:
        """Start again what has ended."""
        for process in self.processes:
            process.keep_alive()

    def close(self) -> None:
        """Kill every process."""
        for process in self.processes:
            process.close()

    def wait_until(self, condition: Callable[[], bool], *, limit_s: float, tick: Callable[[], None]) -> float | None:
        """Tick until a condition holds; return how many seconds that took, None when it did not in time."""
        begun_s = time.monotonic()
        while (passed_s := time.monotonic() - begun_s) < limit_s:
            tick()
            try:
                if condition():
                    return passed_s
            except DatabaseError:
                pass  # it is only just coming back
            time.sleep(LOOK_S)
        return None

    def wait_for_first_result(self, *, limit_s: float) -> None:
        """Bring one wave of recordings and wait until one of them is scored."""
        self.feeder.bring_wave(may_poison=False)
        took_s = self.wait_until(lambda: self.count(JobState.DONE) > 0, limit_s=limit_s, tick=self.tick)
        assert took_s is not None, "no job was done before the first fault"

    def converge(self, *, limit_s: float, tick: Callable[[], None] | None = None) -> float | None:
        """Wait for the end of every job; return how many seconds that took, None when it did not end in time."""
        scan_at_s = 0.0

        def look() -> bool:
            nonlocal scan_at_s
            if time.monotonic() >= scan_at_s:
                self.feeder.scan()  # an old listing may have been registered last; the next scan puts it right
                self.feeder.finish_erasures()
                scan_at_s = time.monotonic() + SCAN_S
            return history.counts(self.engine).n_unfinished == 0

        return self.wait_until(look, limit_s=limit_s, tick=tick or self.tick)

    def count(self, state: JobState) -> int:
        """Count the jobs of a state."""
        return history.counts(self.engine).by_state.get(state, 0)

    def job_ids(self) -> list[int]:
        """Ids of all jobs, oldest first; none while the database is away."""
        try:
            with reading(self.engine) as connection:
                return list(connection.scalars(select(jobs.c.id).order_by(jobs.c.id)))
        except DatabaseError:
            return []

    def busy(self) -> list[int]:
        """Process ids that hold a job now; none while the database is away."""
        try:
            with reading(self.engine) as connection:
                names = connection.scalars(select(jobs.c.worker).where(jobs.c.state == JobState.RUNNING)).all()
        except DatabaseError:
            return []
        return [int(name.rpartition(":")[2]) for name in names if name]

    def history(self) -> History:
        """Read what is left behind, with the feeder's journal."""
        feeder = self.feeder
        erased, erased_keys = frozenset(feeder.erased), frozenset(feeder.erased_keys)
        return read_history(self.engine, expected=feeder.expected, erased=erased, erased_keys=erased_keys)

    def log_lines(self) -> Iterator[str]:
        """Give every line that a process logged."""
        for log in sorted(self.folder.glob("*.log")):
            with log.open(errors="replace") as lines:
                yield from lines

    def _supervise(self, name: str, module: str, variables: dict[str, str]) -> Supervised:
        command = [sys.executable, "-m", *module.split()]
        return Supervised(name, command, variables=variables, log=self.folder / f"{name}.log")


@contextmanager
def staged(backend: Backend, folder: Path, *, seed: int, **options: Any) -> Iterator[Stage]:
    """Start a backend's servers and set a `Stage` on them; nothing is left running afterwards."""
    with ExitStack() as stack:
        place = stack.enter_context(running(backend, folder))
        stage = Stage(place, folder, seed=seed, **options)
        stack.callback(stage.close)
        yield stage


def _prepare(settings: Settings, bundle: Path) -> Engine:
    engine = make_engine(settings.database)
    upgrade(engine)
    models.activate(engine, register_bundle(engine, bundle).id)
    return engine
