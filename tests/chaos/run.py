"""One chaos run: real processes on one backend, faults drawn from a seed, and the checks of what is left behind."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from scheduler.app import make_app
from tests.chaos import faults, invariants, log_checks
from tests.chaos.backends import Backend
from tests.chaos.faults import Planned, Repair, World
from tests.chaos.stage import Stage, staged

TICK_S = 0.05
# A poisoned recording needs three leases, three tries in quarantine and a few sweeps to its end, whatever else happens.
POISON_SHARE = 0.5
# On a busy machine killed processes take their time to come back, and faults wait for them; up to so many times longer.
LONGEST = 2.0


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

    `forged` counts what an intruder brought into the queue while the broker was up.
    `n_refused` are attempts that came back after their lease was lost and found that they could write nothing.
    """

    options: Options
    faults: Counter[str]
    spoilt: Counter[str]
    forged: Counter[str]
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
    with staged(options.backend, folder, seed=options.seed) as stage:
        return _Run(options, stage).go()


class _Run:
    """One run on its stage, with its clock."""

    def __init__(self, options: Options, stage: Stage) -> None:
        self._options = options
        self._stage = stage
        self._repairs: list[tuple[float, str, Repair]] = []
        self._faults: Counter[str] = Counter()
        self._stop = threading.Event()
        self._failure: list[BaseException] = []
        publisher = make_app(stage.settings)
        self._marker = stage.folder / "unpickled"
        self._world = World(
            stage.place, stage.workers, stage.scheduler, publisher, stage.job_ids, stage.busy, self._marker
        )

    def go(self) -> Report:
        """Feed and hurt for the time given, wait for the end of every job, and check."""
        options, stage = self._options, self._stage
        stage.start()
        stage.wait_for_first_result(limit_s=options.limit_s)
        feeding = threading.Thread(target=self._feed, name="feeder", daemon=True)
        feeding.start()
        try:
            planned = faults.plan(options.backend, seed=options.seed, seconds=options.seconds, every_s=options.every_s)
            self._hurt(planned)
        finally:
            self._stop.set()
            feeding.join()
        convergence_s = stage.converge(limit_s=options.limit_s)
        if self._failure:
            raise self._failure[0]
        return self._report(convergence_s)

    def _feed(self) -> None:
        try:
            self._stage.feeder.feed_until(self._stop, poison_until_s=POISON_SHARE * self._options.seconds)
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            self._failure.append(error)

    def _hurt(self, planned: list[Planned]) -> None:
        begun_s = time.monotonic()
        waiting = list(planned)
        while waiting or self._repairs or time.monotonic() - begun_s < self._options.seconds:
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
        is_hurt = any(target == hurt for _, hurt, _ in self._repairs)
        return not is_hurt and self._world.can_be_hurt(target)

    def _inject(self, planned: Planned) -> None:
        repair = planned.fault.act(self._world, random.Random(planned.seed))
        self._faults[planned.fault.kind] += 1
        if repair is not None:
            self._repairs.append((time.monotonic() + repair.after_s, planned.fault.target, repair))

    def _tick(self) -> None:
        self._stage.tick()
        now_s = time.monotonic()
        for item in [item for item in self._repairs if item[0] <= now_s]:
            self._repairs.remove(item)
            item[2].act()

    def _report(self, convergence_s: float | None) -> Report:
        stage = self._stage
        left = stage.history()
        lines = list(stage.log_lines())
        found = {name: check(left) for name, check in invariants.CHECKS.items()}
        limits_s = (stage.settings.soft_time_limit_s, stage.settings.time_limit_s)
        found |= log_checks.check_logs(lines, limits_s=limits_s)
        found["L6 nothing unpickled"] = log_checks.check_nothing_was_unpickled(self._marker)
        return Report(
            options=self._options,
            faults=self._faults,
            spoilt=stage.feeder.injected,
            forged=self._world.forged,
            n_jobs=len(left.jobs),
            n_results=len(left.results),
            n_lost=invariants.count_lost(left),
            n_duplicates=invariants.count_duplicates(left),
            n_foreign=len(invariants.check_results_are_their_owners(left)),
            n_innocent_dead=invariants.count_innocent_dead(left),
            n_reruns=sum(attempt.n > 1 for attempt in left.attempts),
            n_refused=sum("lease lost" in line for line in lines),
            n_restarts=sum(process.exit_codes.total() for process in stage.processes),
            convergence_s=convergence_s,
            broken={name: sentences for name, sentences in found.items() if sentences},
        )
