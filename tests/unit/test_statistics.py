"""SQLite's planner is told how much there is when that has grown, and nothing of what is in the rows."""

import pytest
from db_samples import dump, new_sqlite
from filling import fill
from sqlalchemy import text

from db.statistics import refresh_statistics


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def filled(engine, n_notes):
    fill(engine, n_notes=n_notes, n_people=100)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE sqlite_stat1"))
    engine.dispose()  # a connection keeps in memory what the table said


def test_a_database_that_has_grown_is_analysed_once(engine):
    assert not refresh_statistics(engine)
    filled(engine, 1_000)

    assert [refresh_statistics(engine) for _ in range(3)] == [True, False, False]


def test_it_is_analysed_again_when_it_has_grown_fourfold(engine):
    filled(engine, 1_000)
    refresh_statistics(engine)
    with engine.begin() as connection:
        grow = (
            "INSERT INTO recordings SELECT id + :more, store, bucket, key || :more, version_tag, size_bytes, subject, "
        )
        grow += "subject_source, recorded_at, recorded_at_precision, recorded_at_source, uploaded_at, registered_at, state, "
        grow += "tenant, tenant_source, utc_offset_min, recorded_at_zone, local_day, identity_tag FROM recordings WHERE id <= 1000"
        for n in range(1, 21):
            connection.execute(text(grow), {"more": 1_000 * n})

    assert [refresh_statistics(engine) for _ in range(2)] == [True, False]


def test_the_planner_takes_the_index_of_a_person_after_that(engine):
    filled(engine, 2_000)
    query = "EXPLAIN QUERY PLAN SELECT * FROM v1_subject_day WHERE tenant = 'tenant-1' AND subject = 'person-1' ORDER BY day"

    def plan():
        with engine.connect() as connection:
            return str(connection.execute(text(query)).all())

    before = plan()
    refresh_statistics(engine)

    assert "subject=?" not in before  # so that it is worth the work
    assert "subject=?" in plan()


def test_the_statistics_hold_no_names(engine):
    filled(engine, 2_000)
    refresh_statistics(engine)

    with engine.connect() as connection:
        tables = (
            connection.execute(text("SELECT name FROM sqlite_master WHERE name LIKE 'sqlite_stat%'")).scalars().all()
        )
        kept = [str(row) for name in tables for row in connection.execute(text(f"SELECT * FROM {name}"))]
    assert "person-1" in dump(engine)
    assert kept
    assert "person-" not in str(kept)
