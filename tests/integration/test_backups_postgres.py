"""Backup and restore on PostgreSQL, by its own programs; the rest of what `db restore` promises is in tests/unit."""

import pytest
from command import Cli
from db_samples import a_recording, a_result, add_jobs, count, new_postgres, people_of, take
from roles import Roles, ask, new_roles
from servers.postgres import find_postgres

from db import ledger, migrate, recordings
from db.engine import make_engine
from db.erasures import Chosen, begin
from db.reasons import ErasureScope
from tonalog.dumps import find_program
from tonalog.errors import TonalogError


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        recordings.register(engine, [a_recording("ben/0.wav", subject="ben")])
        for job_id in add_jobs(engine, 2):
            ledger.finish(engine, take(engine, job_id), a_result())
        yield engine


@pytest.fixture
def cli(tmp_path, monkeypatch):
    if not (find_postgres() / "pg_dump").exists():
        pytest.skip("this PostgreSQL came without pg_dump")
    monkeypatch.setenv("PATH", str(find_postgres()), prepend=":")
    return Cli(tmp_path)


def url_of(engine):
    return engine.url.render_as_string(hide_password=False)


def test_a_drill_brings_everything_back_but_who_was_erased_since(cli, engine, postgres_url, tmp_path):
    backup, erased = tmp_path / "monday.dump", tmp_path / "erased.jsonl"
    cli.variables["TONALOG_DATABASE_URL"] = url_of(engine)
    assert "Wrote" in cli("db", "backup", backup)
    begin(engine, Chosen(subject="ben"), scope=ErasureScope.ALL)
    assert "1 recordings" in cli("db", "erased", erased)

    assert "is not empty" in cli("db", "restore", backup, "--erased", erased, code=1)
    cli.variables["TONALOG_DATABASE_URL"] = postgres_url  # the new server
    assert "--without-erased" in cli("db", "restore", backup, code=2)
    printed = cli.ask("db", "restore", backup, "--erased", erased)

    assert "1 recordings were erased again" in printed.stdout, printed.stderr
    restored = make_engine(postgres_url)
    migrate.require_current(restored)
    assert people_of(restored) == {"anna": 2}
    assert count(restored, "results") == 2
    assert ledger.finish(restored, take(restored, add_jobs(restored, 1)[0]), a_result())  # sequences go on


def test_the_migrator_backs_up_every_tenant_and_roles_are_given_their_rights_anew(
    cli, postgres_server, postgres_url, tmp_path
):
    with new_roles(postgres_server) as roles:
        recordings.register(
            roles.scheduler, [a_recording("a.wav", subject="anna", tenant="clinic"), a_recording("b.wav")]
        )
        cli.variables["TONALOG_DATABASE_URL"] = url_of(roles.migrator)
        cli("db", "backup", tmp_path / "backup")
        cli.variables["TONALOG_DATABASE_URL"] = postgres_url
        cli("db", "restore", tmp_path / "backup", "--without-erased")

        restored = Roles(make_engine(postgres_url))  # runs roles.sql, as the command says
        assert count(restored.admin, "recordings") == 2
        migrate.require_current(restored.worker)
        assert ask(restored.api, "SELECT tenant FROM v1_note") == [("default",)]


def test_a_program_older_than_the_server_is_refused_in_words(tmp_path, monkeypatch):
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    with pytest.raises(TonalogError, match=r"pg_dump is only of release \d+.*install postgresql-client-99"):
        find_program("pg_dump", 99)
