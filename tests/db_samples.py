"""Databases and rows for the tests of `db`; never asserts anything."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from alembic import command
from kept_databases import lend_database
from servers import PostgresServer
from sqlalchemy import Engine, event, func, insert, inspect, select, text, update

from db import jobs, ledger, migrate, models, people, pump, recordings
from db.engine import make_engine
from db.reasons import Lane, ResultStatus
from db.rows import Claim, Model, NewModel, NewRecording, NewResult, Segment
from db.schema import EMOTIONS, metadata
from db.schema import jobs as jobs_table

MONDAY = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
PLENTY = 1_000_000
N_POOLED = 16  # more than the threads of any test

_made: list[Engine] = []


@cache
def migrated_file() -> bytes:
    """The bytes of a migrated, empty SQLite database: copying is faster than migrating for every test."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "template.db"
        migrate.upgrade(make_engine(f"sqlite:///{file}"))
        return file.read_bytes()


def new_sqlite(folder: Path, *, n_pooled: int | None = N_POOLED) -> Engine:
    """An engine on a migrated SQLite file of this test's own.

    Connections are kept open until the test ends: to open one costs more than most statements. `n_pooled=None` keeps none.
    """
    file = folder / "tonalog.db"
    file.write_bytes(migrated_file())
    engine = make_engine(f"sqlite:///{file}", n_pooled=n_pooled)
    _made.append(engine)
    # Nobody pulls the plug in a unit test; tests/integration has the kills.
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    return engine


def close_kept() -> None:
    """Close the connections that engines on SQLite files keep; an engine that is used again opens others."""
    while _made:
        _made.pop().dispose()


@contextmanager
def new_postgres(server: PostgresServer, *, n_pooled: int | None = N_POOLED) -> Iterator[Engine]:
    """An engine on a migrated PostgreSQL database of this test's own.

    A connection costs more than what most tests do with it, so some are kept open; `n_pooled=None` keeps none, as
    workers and schedulers do, for a test that forks or counts connections.
    """
    with lend_database(server, migrated_template(server)) as name:
        engine = make_engine(server.url_of(name), n_pooled=n_pooled)
        yield engine
        engine.dispose()


@cache
def migrated_template(server: PostgresServer) -> str:
    """A migrated, empty database on a server: copying is faster than migrating for every test."""
    name = "migrated_template"
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    migrate.upgrade(make_engine(server.url_of(name)))
    return name


def upgrade_to(engine: Engine, revision: str) -> None:
    """Bring an empty database to the schema of an earlier release."""
    config = migrate.make_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def old_recording(key: str, **others) -> dict:
    """What releases up to revision 0005 wrote of a recording."""
    values = {"store": "local", "bucket": "notes", "key": key, "version_tag": "v1", "size_bytes": 1_000}
    values |= {"subject": None, "subject_source": "unknown", "recorded_at": None, "recorded_at_precision": None}
    values |= {"recorded_at_source": "unknown", "uploaded_at": MONDAY, "registered_at": MONDAY, "state": "LIVE"}
    return values | others


def fill_old(engine: Engine, found: list[dict]) -> None:
    """Fill a database of revision 0004 or 0005 as its release did: recordings, each scored under an active model."""
    ids = range(1, len(found) + 1)
    model = {"id": 1, "name": "whisper3", "version": "1.0", "sha256": "sha-1.0", "labels": list(EMOTIONS)}
    model |= {"manifest": {"format": 1}, "folder": "models/whisper3-1.0", "is_active": True, "added_at": MONDAY}
    of_each = [{"recording_id": n, "model_id": 1} for n in ids]
    job = {"state": "DONE", "lane": "nightly", "next_run_at_s": 1.0, "created_at": MONDAY, "finished_at": MONDAY}
    attempt = {"n": 1, "started_at": MONDAY, "ended_at": MONDAY, "outcome": "DONE", "worker": "w"}
    said = {"status": "SCORED", "label": "sadness", "confidence": 0.4, "is_uncertain": False, **scores()}
    spans = {
        "n_windows": 1,
        "speech_ms": 9_000,
        "rejected_ms": 0,
        "duration_ms": 9_000,
        "trend": {},
        "created_at": MONDAY,
    }
    segment = {"idx": 0, "start_ms": 0, "end_ms": 8_000, "speech_ms": 8_000, **scores()}
    rows = {
        "models": [model],
        "recordings": found,
        "jobs": [{**key, **job} for key in of_each],
        "attempts": [{"job_id": n, "token": f"token-{n}", **attempt} for n in ids],
        "results": [{**key, "token": f"token-{n}", **said, **spans} for n, key in zip(ids, of_each, strict=True)],
        "segments": [{**key, **segment} for key in of_each],
    }
    with engine.begin() as connection:
        for name, values in rows.items():
            if values:
                connection.execute(insert(metadata.tables[name]), values)


def a_recording(key: str, version_tag: str = "v1", **others) -> NewRecording:
    values = {"store": "local", "bucket": "notes", "size_bytes": 1_000, "uploaded_at": MONDAY, **others}
    if values.get("recorded_at") is not None and "local_day" not in values:  # of a recorder whose clock shows UTC
        values |= {"utc_offset_min": 0, "local_day": values["recorded_at"].astimezone(UTC).date()}
    return NewRecording(key=key, version_tag=version_tag, **values)


def a_model(version: str = "1.0", **others) -> NewModel:
    values = {"name": "whisper3", "sha256": f"sha-{version}", "labels": EMOTIONS, "manifest": {"format": 1}, **others}
    return NewModel(version=version, folder=f"models/whisper3-{version}", **values)


def scores(anger: float = 0.1, happiness: float = 0.2, neutral: float = 0.3, sadness: float = 0.4) -> dict[str, float]:
    return {"anger": anger, "happiness": happiness, "neutral": neutral, "sadness": sadness}


def a_result(
    *,
    pooled: dict[str, float] | None = None,
    dimensions: dict[str, float] | None = None,
    is_uncertain: bool = False,
    speech_ms: int = 9_000,
    voice: dict[str, float] | None = None,
) -> NewResult:
    pooled, said = pooled or scores(), dimensions or {}
    label = max(pooled, key=pooled.__getitem__)
    halves = ((0, speech_ms // 2), (speech_ms // 2, speech_ms))
    return NewResult(
        status=ResultStatus.SCORED,
        duration_ms=speech_ms + 1_000,
        speech_ms=speech_ms,
        rejected_ms=500,
        n_windows=2,
        label=label,
        confidence=pooled[label],
        is_uncertain=is_uncertain,
        scores=pooled,
        dimensions=said,
        segments=tuple(
            Segment(start_ms=a, end_ms=b, speech_ms=b - a, scores=pooled, dimensions=said) for a, b in halves
        ),
        trend={
            name: {"slope_per_min": 0.25, "start_mean": 0.1, "end_mean": 0.2, "volatility": 0.0} for name in EMOTIONS
        },
        voice=voice or {},
        audio_sha256="0" * 64,
    )


def silence() -> NewResult:
    return NewResult(status=ResultStatus.NO_SPEECH, duration_ms=2_000, speech_ms=0, rejected_ms=2_000, n_windows=0)


def add_active_model(engine: Engine, version: str = "1.0", **others) -> Model:
    return models.activate(engine, models.add_model(engine, a_model(version, **others)).id)


def add_jobs(engine: Engine, n: int, *, lane: Lane = Lane.NIGHTLY) -> list[int]:
    """Register `n` more recordings with a job each, under a model that becomes active; gives the job ids."""
    first = count(engine, "recordings")
    recordings.register(engine, [a_recording(f"anna/{first + i:04}.wav", subject="anna") for i in range(n)])
    model = models.active_model(engine) or add_active_model(engine)
    jobs.create_jobs(engine, model.id, lane=lane)
    with engine.connect() as connection:
        known = select(jobs_table.c.id).where(jobs_table.c.recording_id > first).order_by(jobs_table.c.id)
        return list(connection.scalars(known))


def take(engine: Engine, job_id: int, *, lease_s: float = 60.0) -> Claim:
    """Claim a job that must be there to be claimed."""
    claim = ledger.claim(engine, job_id, worker="test", lease_s=lease_s)
    if claim is None:
        raise LookupError(f"job {job_id} cannot be claimed: {job_row(engine, job_id)}")
    return claim


def score_all(engine: Engine) -> int:
    """Pump, claim and finish until nothing is due; gives the number of jobs done."""
    n = 0
    while ids := pump.due_jobs(engine, cap_outstanding=PLENTY, limit=PLENTY):
        for job_id, _ in ids:
            n += ledger.finish(engine, take(engine, job_id), a_result())
    return n


def job_row(engine: Engine, job_id: int) -> dict:
    with engine.connect() as connection:
        return connection.execute(select(jobs_table).where(jobs_table.c.id == job_id)).one()._asdict()


def set_job(engine: Engine, job_id: int, **values) -> None:
    """Change a job by hand, to make time pass."""
    with engine.begin() as connection:
        connection.execute(update(jobs_table).where(jobs_table.c.id == job_id).values(**values))


def people_of(engine: Engine) -> dict[str, int]:
    """How many notes there are of each person."""
    return {person.subject: person.n_notes for person in people.list_people(engine)}


def count(engine: Engine, table: str) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(metadata.tables[table])) or 0


def dump(engine: Engine) -> str:
    """All that the tables hold, as text."""
    names = inspect(engine).get_table_names()  # those that are there, known to the code or not
    with engine.connect() as connection:
        return "\n".join(str(tuple(row)) for name in names for row in connection.execute(text(f"SELECT * FROM {name}")))


def days_later(days: float) -> datetime:
    return MONDAY + timedelta(days=days)
