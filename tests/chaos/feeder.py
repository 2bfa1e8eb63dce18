"""Brings recordings into a chaos run, sound and spoilt ones, and keeps the journal of how each may end."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from config.settings import Settings
from db import Engine, erasures, history, jobs, models, recordings
from db.erasures import Chosen
from db.errors import DatabaseError
from db.reasons import ErasureScope, Lane
from scheduler.erasing import carry_out
from scheduler.scan import Naming, scan
from storage.open import open_bucket, open_store
from tests.chaos.notes import POISONS, SLOW, Note, mark
from tests.chaos.rows import ABSENT, Expected

T = TypeVar("T")
CANARY = "canary"
WAVE = range(16, 41)
BACKLOG = 100
SLOW_SHARE = 0.04  # enough that a fault nearly always finds one half done; more would keep the pool from other jobs
RETRY_S = 0.3
PATIENCE_S = 120.0
_WHATEVER_WAS_QUICKER = frozenset({"DONE", "DEAD:OBJECT_CHANGED", "CANCELLED:OBJECT_CHANGED", ABSENT})
_POISONED_ENDS = {
    "kill": frozenset({"DEAD:WORKER_LOST"}),
    "segfault": frozenset({"DEAD:WORKER_LOST"}),
    # Kills by chance count as well, so that a poisoned one may be lost twenty times before it fails three times.
    "memory": frozenset({"DEAD:MEMORY", "DEAD:WORKER_LOST"}),
    "hang": frozenset({"DEAD:TIME_LIMIT", "DEAD:WORKER_LOST"}),
}
SPOILT = ("cut short", "empty", "text", "overwritten", "cut while queued", "deleted", "erased")


class Feeder:
    """Writes recordings in waves, registers them as a scan does, and spoils some while they wait.

    `expected`, `erased` and `erased_keys` are the journal; `injected` counts recordings by what was done to them.
    """

    def __init__(self, settings: Settings, engine: Engine, notes: list[Note], *, seed: int) -> None:
        self.expected: dict[tuple[str, str], Expected] = {}
        self.erased: set[int] = set()
        self.erased_keys: set[str] = set()
        self.injected: Counter[str] = Counter()
        self._settings = settings
        self._engine = engine
        self._notes = notes
        self._rng = random.Random(seed)
        self._root = Path(settings.storage_url or "")
        self._n_waves = 0
        self._model_id = self._insist(partial(models.active_model, engine)).id  # type: ignore[union-attr]

    def feed_until(self, stop: threading.Event, *, poison_until_s: float) -> None:
        """Bring wave after wave while few jobs wait, with poison for the first `poison_until_s` seconds."""
        begun_s = time.monotonic()
        while not stop.is_set():
            if self._insist(partial(history.counts, self._engine)).n_unfinished < BACKLOG:
                self.bring_wave(may_poison=time.monotonic() - begun_s < poison_until_s)
            else:
                stop.wait(RETRY_S)

    def bring_wave(self, *, may_poison: bool) -> None:
        """Bring recordings whose kinds are drawn by chance."""
        self.bring([self._draw(may_poison=may_poison) for _ in range(self._rng.choice(WAVE))])

    def bring(self, drawn: list[str]) -> None:
        """Write one wave, a recording for each kind, register it, and then spoil what is to be spoilt while it waits.

        A kind is "sound", SLOW, or one of POISONS and SPOILT.
        """
        self._n_waves += 1
        prefix = f"{CANARY}-{self._n_waves:04}/"
        kinds = {f"{prefix}{n:02}.wav": kind for n, kind in enumerate(drawn)}
        for key, kind in kinds.items():
            self._write(key, self._first_content(key, kind))
        lane = self._rng.choice((Lane.NIGHTLY, Lane.BULK))
        self.scan(prefix, lane)
        changed = [key for key, kind in kinds.items() if self._spoil(key, kind)]
        if changed:
            self.scan(prefix, lane)

    def scan(self, prefix: str = "", lane: Lane = Lane.NIGHTLY) -> None:
        """Register what is new under a prefix and make its jobs, as the nightly scan does."""
        store, _ = open_store(self._root)
        naming = Naming(self._settings.key_pattern, self._settings.time_zone)
        self._insist(partial(scan, self._engine, store, prefix=prefix, naming=naming))
        self._insist(partial(jobs.create_jobs, self._engine, self._model_id, lane=lane))

    def _draw(self, *, may_poison: bool) -> str:
        dice = self._rng.random()
        if dice < 0.012 and may_poison:
            return self._rng.choice(POISONS)
        if dice > 0.92:
            return self._rng.choice(SPOILT)
        return SLOW if dice > 0.92 - SLOW_SHARE else "sound"

    def _first_content(self, key: str, kind: str) -> bytes:
        note = self._rng.choice(self._notes)
        if kind in ("sound", SLOW):
            return self._expect_sound(key, note if kind == "sound" else mark(note, SLOW))
        self.injected[kind] += 1
        if kind in POISONS:
            return self._expect(key, mark(note, kind).content, _POISONED_ENDS[kind])
        if kind == "cut short":
            return self._expect(key, note.content[: len(note.content) // 2], frozenset({"DEAD:TRUNCATED"}))
        if kind == "empty":
            return self._expect(key, b"", frozenset({"DEAD:ZERO_BYTES"}))
        if kind == "text":
            return self._expect(key, b"Dear diary, " * 9, frozenset({"DEAD:NOT_AUDIO"}))
        ends = {"DONE", "DEAD:OBJECT_MISSING"} if kind == "deleted" else _WHATEVER_WAS_QUICKER
        return self._expect(key, note.content, frozenset(ends))

    def _spoil(self, key: str, kind: str) -> bool:
        """Do to a registered recording what its kind says; return whether a scan has to look again."""
        if kind == "overwritten":
            held = (self._root / key).read_bytes()
            other = self._rng.choice([note for note in self._notes if note.content != held])
            self._write(key, self._expect_sound(key, other))
        elif kind == "cut while queued":
            held = (self._root / key).read_bytes()
            self._write(key, self._expect(key, held[: len(held) // 3], frozenset({"DEAD:TRUNCATED"})))
        elif kind == "deleted":
            (self._root / key).unlink()
        elif kind == "erased":
            self._erase(key)
        return kind in ("overwritten", "cut while queued")

    def _erase(self, key: str) -> None:
        (found,) = self._insist(partial(recordings.find, self._engine, key))
        self.erased.add(found.id)
        self.erased_keys.add(key)
        del self.expected[key, found.version_tag]
        chosen = Chosen(recording_id=found.id)
        self._insist(partial(erasures.begin, self._engine, chosen, scope=ErasureScope.ALL))
        self.finish_erasures()

    def finish_erasures(self) -> None:
        """Remove what erasures have still to remove, as often as it takes."""
        self._insist(partial(carry_out, self._engine, partial(open_bucket, self._settings)))

    def _write(self, key: str, content: bytes) -> None:
        file = self._root / key
        file.parent.mkdir(exist_ok=True)
        part = file.with_name(f".{file.name}")  # hidden files are no objects: an upload appears whole
        part.write_bytes(content)
        part.replace(file)

    def _expect_sound(self, key: str, note: Note) -> bytes:
        self.expected[key, note.version_tag] = Expected(ends=frozenset({"DONE"}), is_innocent=True, scores=note.scores)
        return note.content

    def _expect(self, key: str, content: bytes, ends: frozenset[str]) -> bytes:
        self.expected[key, Note(content, {}).version_tag] = Expected(ends=ends)
        return content

    def _insist(self, call: Callable[[], T]) -> T:
        """Try again while the database is away: a nightly run does so the next night, a test has not the time."""
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                return call()
            except DatabaseError:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(RETRY_S)
