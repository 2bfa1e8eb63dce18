"""What an erasure leaves of a name in PostgreSQL: nothing for any query, and no byte after a rewrite."""

import pytest
from click.testing import CliRunner
from db_samples import a_recording, upgrade_to
from roles import ask, new_roles, run
from sqlalchemy import text

from db import erasures, migrate, people, recordings, removals, residue
from db.engine import make_engine
from db.erasures import Chosen
from db.errors import DatabaseError, DatabaseUnavailable
from db.reasons import ErasureScope
from scheduler.erasing import carry_out
from storage.protocol import MemoryStore
from tonalog.commands.database import db_command
from tonalog.commands.erase import erase_command

N_RECORDINGS = 150  # more than one page of rows, and enough of them for statistics
EXPOSED = "SELECT DISTINCT tablename, attname FROM pg_stats s WHERE s::text LIKE '%canary%'"
CLEANS_AS_ERASER_SINCE = 170_000  # which brought the right MAINTAIN


@pytest.fixture
def roles(postgres_server):
    with new_roles(postgres_server, n_pooled=None) as roles:
        yield roles


def add_people(engine, bucket="notes"):
    """Somebody with former names and corrections, and somebody else; statistics know both."""
    of_each = [(f"canary/{i}.wav", f"canary-{i % 3}") for i in range(N_RECORDINGS)]
    of_each += [(f"ben/{i}.wav", "ben") for i in range(N_RECORDINGS)]
    recordings.register(engine, [a_recording(key, subject=name, bucket=bucket) for key, name in of_each])
    people.merge(engine, ["canary-1", "canary-2"], into="canary-0")
    run(engine, "ANALYZE")


def begin(engine):
    """Begin to erase, and give the statistics a moment in which the keys to remove are known."""
    assert erasures.begin(engine, Chosen(subject="canary-0"), scope=ErasureScope.ALL)


def can_clean(roles, role):
    ((version,),) = ask(roles.admin, "SELECT current_setting('server_version_num')::int")
    return role != "eraser" or version >= CLEANS_AS_ERASER_SINCE


@pytest.mark.parametrize("role", ["admin", "migrator", "eraser"])
def test_statistics_know_nobody_who_was_erased(roles, role):
    add_people(roles.admin)
    assert ("recordings", "subject") in ask(roles.admin, EXPOSED)
    begin(roles.admin)
    run(roles.admin, "ANALYZE")

    carried = carry_out(getattr(roles, role), lambda *_: MemoryStore())

    if can_clean(roles, role):
        assert ask(roles.admin, EXPOSED) == []
    else:
        assert "recordings" in carried.residue.uncleaned_tables


def test_an_upgrade_drops_the_statistics_that_an_earlier_release_has_left_of_empty_tables(postgres_url):
    admin = make_engine(postgres_url)
    upgrade_to(admin, "0006")
    for alias in ("canary-1", "canary-2"):
        run(admin, f"INSERT INTO subject_aliases VALUES ('default', '{alias}', 'canary-0')")
    run(admin, "ANALYZE")
    run(admin, "DELETE FROM subject_aliases")
    run(admin, "ANALYZE")
    assert ("subject_aliases", "subject") in ask(admin, EXPOSED)

    migrate.upgrade(admin)

    assert ask(admin, EXPOSED) == []


def test_an_erasure_is_not_finished_while_somebody_reads_the_old_rows(roles, monkeypatch):
    monkeypatch.setattr(residue, "OLD_READERS_TIMEOUT_S", 0.2)
    add_people(roles.admin)
    with roles.scheduler.connect().execution_options(isolation_level="REPEATABLE READ") as reader:
        assert reader.execute(text("SELECT key FROM recordings WHERE subject = 'canary-0'")).all()
        begin(roles.admin)

        with pytest.raises(DatabaseUnavailable, match=r"session of tonalog_scheduler \d+ began before now"):
            carry_out(roles.admin, lambda *_: MemoryStore())

        assert len(removals.unfinished(roles.admin)) == 1
    assert carry_out(roles.eraser, lambda *_: MemoryStore()).n_left == 0
    assert removals.unfinished(roles.admin) == []


@pytest.mark.parametrize("database", ["its own", "postgres"])
def test_a_rewrite_waits_for_any_writer_since_it_would_copy_what_was_deleted(roles, monkeypatch, database):
    monkeypatch.setattr(residue, "OLD_READERS_TIMEOUT_S", 0.2)
    add_people(roles.admin)
    place = roles.admin.url if database == "its own" else roles.admin.url.set(database=database)
    with make_engine(place.render_as_string(hide_password=False)).connect() as writer:
        writer.execute(text("SELECT pg_current_xact_id()"))
        begin(roles.admin)
        carry_out(roles.admin, lambda *_: MemoryStore())

        with pytest.raises(DatabaseUnavailable, match="session of tonalog "):
            residue.rewrite(roles.admin)


def test_a_session_between_two_statements_holds_no_erasure_up(roles, monkeypatch):
    monkeypatch.setattr(residue, "OLD_READERS_TIMEOUT_S", 0.2)
    add_people(roles.admin)
    begin(roles.admin)
    with roles.scheduler.connect() as idle:
        idle.execute(text("SELECT 1")).all()  # READ COMMITTED: idle in a transaction, it sees what is there now

        carry_out(roles.admin, lambda *_: MemoryStore())

    assert removals.unfinished(roles.admin) == []


def test_after_a_rewrite_no_byte_of_a_name_is_left_on_the_servers_disk(killable_postgres, monkeypatch, tmp_path):
    server = killable_postgres
    with server.fresh_database() as url:
        admin = make_engine(url)
        migrate.upgrade(admin)
        point_to(admin, monkeypatch, tmp_path)
        run_alone(admin, "ALTER SYSTEM SET wal_recycle = off", "SELECT pg_reload_conf()")
        add_people(admin, bucket=str(tmp_path / "notes"))
        run_alone(admin, "CHECKPOINT")
        assert files_with(server, b"canary")

        said = call(erase_command, "--subject", "canary-0")
        call(db_command, "rewrite")
        run_alone(admin, "SELECT pg_switch_wal()", "CHECKPOINT")

        assert "`tonalog db rewrite`" in said
        assert files_with(server, b"canary") == []
        assert files_with(server, b"ben/")
        assert people.is_known(admin, "default", "ben")


@pytest.mark.parametrize("role", ["admin", "migrator"])
def test_who_owns_the_tables_can_rewrite_them_and_is_told_what_is_left(roles, role, monkeypatch, tmp_path):
    point_to(getattr(roles, role), monkeypatch, tmp_path)
    add_people(roles.admin)
    begin(roles.admin)
    carry_out(roles.admin, lambda *_: MemoryStore())

    said = call(db_command, "rewrite")

    assert ("pg_statistic" in said) is (role == "migrator")
    assert ask(roles.admin, EXPOSED) == []
    assert people.is_known(roles.admin, "default", "ben")


@pytest.mark.parametrize("role", ["admin", "eraser"])
def test_an_operator_is_told_what_is_left_and_who_can_remove_it(roles, role, monkeypatch, tmp_path):
    point_to(getattr(roles, role), monkeypatch, tmp_path)
    add_people(roles.admin, bucket=str(tmp_path / "notes"))

    said = call(erase_command, "--subject", "canary-0")

    assert ("this role may not clean recordings, identity_changes" in said) is not can_clean(roles, role)
    assert ("Bytes of it are in free space" in said) is can_clean(roles, role)
    assert "`tonalog db rewrite`" in said


@pytest.mark.parametrize("role", ["scheduler", "worker", "api"])
def test_who_does_not_own_the_tables_can_neither_rewrite_nor_clean_them(roles, role):
    with pytest.raises(DatabaseError, match=f"tonalog_{role} may not rewrite recordings, .*connect as their owner"):
        residue.rewrite(getattr(roles, role))
    assert "segments" in residue.scrub(getattr(roles, role)).uncleaned_tables


def point_to(engine, monkeypatch, tmp_path):
    """Point the commands to this database and an empty folder."""
    (tmp_path / "notes").mkdir()
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path))
    monkeypatch.setenv("TONALOG_STORAGE_URL", f"file://{tmp_path / 'notes'}")
    monkeypatch.setenv("TONALOG_DATABASE_URL", engine.url.render_as_string(hide_password=False))


def call(command, *arguments):
    """Run a command to its end and give what it printed."""
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0, done.output
    return done.output


def run_alone(engine, *statements):
    """Run statements that must not be in a transaction."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.execute(text(statement))


def files_with(server, content):
    """The files of a server, its log among them, that hold some bytes."""
    files = [path for path in server.folder.rglob("*") if path.is_file()]
    return [str(path.relative_to(server.folder)) for path in files if content in path.read_bytes()]
