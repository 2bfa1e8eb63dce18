"""How databases are reached, and what is said when they are not."""

import sqlite3

import pytest
from db_samples import new_sqlite

from db.engine import make_engine, reading, verify
from db.errors import DatabaseError, DatabaseUnavailable, SchemaOutdated

SECRET = "canary-password"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_every_spelling_of_postgresql_is_understood(scheme):
    engine = make_engine(f"{scheme}://user:{SECRET}@localhost/tonalog")

    assert engine.url.drivername == "postgresql+psycopg"
    assert SECRET not in repr(engine)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://localhost/x", "mysql is not supported: give sqlite:///FILE or postgresql://"),
        ("no url at all", "cannot be read: give sqlite:///FILE"),
        ("sqlite://", "in-memory"),
        ("sqlite:///:memory:", "in-memory"),
        ("sqlite:///notes?1/x.db", r"'1/x\.db' is no option of a SQLite URL.*TONALOG_HOME"),
        ("sqlite:////data/notes?a=1/x.db", "'a' is no option"),
    ],
)
def test_a_url_that_cannot_work_is_refused_with_the_remedy(url, said):
    with pytest.raises(DatabaseError, match=said):
        make_engine(url)


def test_the_options_of_sqlite_stay_allowed(tmp_path):
    assert verify(make_engine(f"sqlite:///{tmp_path / 'x.db'}?timeout=5")).startswith("SQLite")


def test_a_missing_folder_is_named_with_the_remedy(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path / 'missing' / 'x.db'}")

    with pytest.raises(DatabaseUnavailable, match=r"missing.*check that its folder exists"):
        verify(engine)


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path):
    file = tmp_path / "notes.db"
    file.write_bytes(b"this is a shopping list " * 100)

    with pytest.raises(DatabaseError, match="not a database"):
        verify(make_engine(f"sqlite:///{file}"))


def test_sqlite_is_set_up_for_many_processes_and_power_cuts(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path / 'x.db'}")

    with reading(engine) as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]

    assert pragmas == ["wal", 2, 1, 30_000]


def test_a_transaction_takes_the_write_lock_at_its_beginning(tmp_path):
    engine = new_sqlite(tmp_path)
    other = sqlite3.connect(engine.url.database, timeout=0, isolation_level=None)

    with engine.begin(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    with reading(engine):
        other.execute("BEGIN IMMEDIATE")
    other.close()


def test_a_lock_that_does_not_come_free_can_be_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr("db.engine.SQLITE_BUSY_TIMEOUT_S", 0.05)
    engine = new_sqlite(tmp_path)
    other = sqlite3.connect(engine.url.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(DatabaseUnavailable, match=r"locked.*try again"):
        engine.begin().__enter__()
    other.close()


def test_a_missing_table_is_not_taken_for_passing_trouble(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path / 'x.db'}")

    with pytest.raises(SchemaOutdated), reading(engine) as connection:
        connection.exec_driver_sql("SELECT * FROM jobs")


def test_a_kept_connection_leaves_a_file_that_a_restored_backup_has_replaced(tmp_path):
    file = tmp_path / "x.db"
    engine = make_engine(file, n_pooled=1)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE old (n INTEGER)")
    other = make_engine(tmp_path / "y.db")
    with other.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE restored (n INTEGER)")
    for leftover in tmp_path.glob("x.db-*"):
        leftover.unlink()
    (tmp_path / "y.db").replace(file)

    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO restored VALUES (1)")

    with reading(make_engine(file)) as connection:
        assert connection.exec_driver_sql("SELECT n FROM restored").scalar_one() == 1


def test_an_engine_keeps_no_more_connections_than_it_was_asked_to(tmp_path):
    engine = make_engine(tmp_path / "x.db", n_pooled=1, n_passing=1)

    with reading(engine), reading(engine):
        pass

    assert engine.pool.checkedin() == 1
