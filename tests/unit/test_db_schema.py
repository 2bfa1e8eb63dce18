"""What the schema itself promises, and how it comes about; also run on PostgreSQL in tests/integration."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from db_samples import a_recording, a_result, add_jobs, count, new_sqlite, take, upgrade_to
from sqlalchemy import delete, insert, select, text, update

from db import ledger, migrate, recordings
from db.columns import db_now, db_now_s
from db.compatibility_schema import schema_compatibility
from db.engine import make_engine, reading, verify
from db.errors import ConstraintViolated, DatabaseError, SchemaOutdated
from db.every_table import load_metadata
from db.revisions import list_revisions
from db.schema import jobs, models, results, segments
from db.schema import recordings as recordings_table


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


@pytest.fixture
def empty_url(tmp_path):
    return f"sqlite:///{tmp_path / 'empty.db'}"


def test_the_migrated_schema_is_the_schema_of_the_code(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, load_metadata()) == []


def test_the_migrations_make_every_constraint_of_the_code(empty_url, engine):
    made = make_engine(empty_url)
    with made.begin() as connection:
        load_metadata().create_all(connection)

    assert constraints(made) == constraints(engine)


def test_upgrading_again_does_nothing(engine):
    assert migrate.is_current(engine)
    assert migrate.upgrade(engine) == migrate.head()
    migrate.require_current(engine)


def test_an_empty_database_is_told_to_upgrade(empty_url):
    engine = make_engine(empty_url)

    assert migrate.current(engine) is None
    with pytest.raises(SchemaOutdated, match="tonalog db upgrade"):
        migrate.require_current(engine)
    with pytest.raises(SchemaOutdated, match="tonalog db upgrade"):
        recordings.get(engine, 1)


def test_a_database_of_a_newer_release_is_told_apart(engine):
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    migrate.require_current(engine)  # it says that this release may go on beside it
    assert migrate.upgrade(engine) == "9999"
    set_works_beside(engine, "9998")
    for ask in (migrate.require_current, migrate.upgrade):
        with pytest.raises(SchemaOutdated, match=r"9999.*from revision 9998 on.*newer release"):
            ask(engine)
    with engine.begin() as connection:
        connection.execute(delete(schema_compatibility))
    with pytest.raises(SchemaOutdated, match=r"9999.*newer release"):
        migrate.require_current(engine)


def test_a_database_of_an_earlier_release_is_refused_before_it_is_upgraded(empty_url):
    engine = make_engine(empty_url)
    upgrade_to(engine, "0016")

    with pytest.raises(SchemaOutdated, match=r"0016.*tonalog db upgrade"):
        migrate.require_current(engine)
    assert migrate.upgrade(engine) == migrate.head()
    migrate.require_current(engine)


def test_each_migration_says_beside_which_releases_it_works_and_takes_nothing_from_them():
    scripts = list(ScriptDirectory.from_config(migrate.make_config()).walk_revisions())

    for script in scripts:
        if script.revision < "0021":
            continue  # before anything was released
        since = script.module.works_beside
        assert since <= script.revision
        taken = what_is_taken(Path(script.module.__file__).read_text())
        assert not taken or since == script.revision, f"{script.revision} takes {taken} from releases since {since}"


def test_the_names_of_the_migrations_tell_the_revisions_that_alembic_reads_in_them():
    scripts = ScriptDirectory.from_config(migrate.make_config())

    assert [script.revision for script in scripts.walk_revisions()] == list(list_revisions())[::-1]
    assert scripts.get_current_head() == migrate.head()


@pytest.mark.parametrize(
    "line",
    [
        'op.drop_column("jobs", "lane")',
        'op.drop_table("pulses")',
        'op.rename_table("pulses", "beats")',
        'op.alter_column("jobs", "lane", new_column_name="queue")',
        'op.add_column("jobs", sa.Column("cost", sa.Integer(), nullable=False))',
        'op.alter_column("jobs", "worker", nullable=False)',
    ],
)
def test_a_line_that_takes_something_from_an_earlier_release_is_seen(line):
    assert what_is_taken(f"def upgrade():\n    {line}\n")
    assert not what_is_taken('op.create_table("a", sa.Column("b", sa.String(), nullable=False),\n)')


def what_is_taken(source):
    pattern = r"op\.drop_(?:column|table)|op\.rename_table|new_column_name|op\.(?:add|alter)_column\(.*nullable=False"
    return re.findall(pattern, source)


def set_works_beside(engine, revision):
    with engine.begin() as connection:
        connection.execute(update(schema_compatibility).values(works_beside=revision))


def test_processes_that_upgrade_at_once_all_succeed(empty_url):
    with ThreadPoolExecutor(4) as pool:
        revisions = list(pool.map(lambda _: migrate.upgrade(make_engine(empty_url)), range(4)))

    assert revisions == [migrate.head()] * 4
    assert migrate.is_current(make_engine(empty_url))


def test_a_migration_that_fails_leaves_nothing_behind(empty_url, monkeypatch):
    monkeypatch.setattr("alembic.operations.Operations.execute", fail)  # the second migration, after the tables
    engine = make_engine(empty_url)

    with pytest.raises(RuntimeError, match="power cut"):
        migrate.upgrade(engine)

    monkeypatch.undo()
    assert migrate.current(engine) is None
    assert migrate.upgrade(engine) == migrate.head()


@pytest.mark.parametrize("table", [results, segments])
def test_results_and_segments_can_be_erased_but_never_changed(engine, table):
    (job_id,) = add_jobs(engine, 1)
    ledger.finish(engine, take(engine, job_id), a_result())

    with pytest.raises(ConstraintViolated, match=f"{table.name} are immutable"), engine.begin() as connection:
        connection.execute(update(table).values(anger=0.9))
    with engine.begin() as connection:
        connection.execute(delete(results))

    assert count(engine, table.name) == 0


@pytest.mark.parametrize(
    "values",
    [
        {"state": "WAITING"},
        {"lane": "fast"},
        {"state": "DEAD", "finished_at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"state": "RUNNING"},
        {"state": "DONE"},
        {"recording_id": 99},
        {"lease_until_s": 1.0},
    ],
    ids="+".join,
)
def test_a_job_that_makes_no_sense_is_refused(engine, values):
    add_jobs(engine, 1)

    with pytest.raises(ConstraintViolated), engine.begin() as connection:
        connection.execute(update(jobs).values(values))


def test_a_key_cannot_hold_two_live_versions(engine):
    recordings.register(engine, [a_recording("a", "v1"), a_recording("a", "v2")])

    with pytest.raises(ConstraintViolated), engine.begin() as connection:
        connection.execute(update(recordings_table).values(state="LIVE"))


def test_two_models_cannot_be_active(engine):
    row = {"name": "m", "sha256": "x", "labels": [], "manifest": {}, "folder": "f", "added_at": db_now()}
    both = [{**row, "version": version, "is_active": True} for version in ("1", "2")]

    with pytest.raises(ConstraintViolated), engine.begin() as connection:
        connection.execute(insert(models).values(both))


def test_the_database_clock_tells_the_time_in_both_forms(engine):
    with reading(engine) as connection:
        now, now_s = connection.execute(select(db_now(), db_now_s())).one()

    assert now.tzinfo == UTC
    assert abs(now.timestamp() - now_s) < 0.1
    assert abs(datetime.now(UTC).timestamp() - now_s) < 60


def test_counters_raised_by_many_at_once_lose_nothing(engine):
    (job_id,) = add_jobs(engine, 1)

    def raise_ten_times(_):
        for _ in range(10):
            with engine.begin() as connection:
                seen = connection.scalar(select(jobs.c.failures).where(jobs.c.id == job_id).with_for_update())
                connection.execute(update(jobs).where(jobs.c.id == job_id).values(failures=seen + 1))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(raise_ten_times, range(4)))

    with engine.connect() as connection:
        assert connection.scalar(select(jobs.c.failures)) == 40


def test_readers_do_not_wait_for_a_writer(engine):
    add_jobs(engine, 1)
    with engine.begin() as writer:
        writer.execute(delete(jobs))
        with reading(engine) as reader:
            assert reader.scalar(text("SELECT COUNT(*) FROM jobs")) == 1


def test_a_round_trip_names_the_server(engine):
    assert verify(engine).split()[0] in {"SQLite", "PostgreSQL"}


def test_an_error_does_not_quote_the_row(engine):
    row = {"name": "canary-name", "sha256": "x", "labels": [], "manifest": {}, "folder": None, "is_active": False}

    with pytest.raises(ConstraintViolated, match="folder") as caught, engine.begin() as connection:
        connection.execute(insert(models).values(**row, version="1", added_at=db_now()))

    assert "canary" not in str(caught.value)


def test_a_broken_statement_is_our_error_too(engine):
    with pytest.raises(DatabaseError, match="nonsense"), engine.connect() as connection:
        connection.execute(text("nonsense"))


def fail(*_args, **_kwargs):
    raise RuntimeError("power cut")


def constraints(engine):
    """The text of every CHECK, and the unique and foreign keys, that the database itself tells."""
    if engine.dialect.name == "sqlite":
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name <> 'alembic_version'"
        with engine.connect() as connection:
            tables = connection.execute(text(query)).all()
        return {name: sorted(split_columns(sql.splitlines()[1:-1])) for name, sql in tables}
    query = (
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version' "
        "AND contype <> 't'"  # a trigger, which the code does not know
    )
    with engine.connect() as connection:
        return sorted(tuple(row) for row in connection.execute(text(query)))


def split_columns(lines):
    """Each column and constraint of a CREATE TABLE; SQLite writes what ALTER TABLE adds onto the last column's line."""
    for line in lines:
        stripped = line.strip(" ,\t")
        yield from [stripped] if stripped.startswith("CONSTRAINT") else stripped.split(", ")
