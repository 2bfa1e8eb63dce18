"""`tonalog keys` on the embedded database."""

import json

import pytest
from click.testing import CliRunner
from db_samples import new_sqlite

from db import api_keys
from db.errors import RowNotFound
from tonalog.commands.keys import keys_command
from tonalog.errors import TonalogError


@pytest.fixture
def engine(tmp_path, monkeypatch):
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path))
    for name in ("TONALOG_DATABASE_URL", "TONALOG_BROKER_URL", "TONALOG_STORAGE_URL"):
        monkeypatch.delenv(name, raising=False)
    return new_sqlite(tmp_path)


def call(*arguments):
    return CliRunner().invoke(keys_command, list(map(str, arguments)))


def is_taken(engine, secret):
    found = api_keys.find(engine, secret)
    return found is not None and found[1]


def test_a_key_is_printed_once_and_lives_as_long_as_it_is_told(engine):
    made = call("create", "--tenant", "clinic", "--scope", "read", "--scope", "write", "--name", "backend")
    secret = made.stdout.strip()

    key, taken = api_keys.find(engine, secret)
    assert taken
    assert (key.tenant, sorted(key.scopes), key.name) == ("clinic", ["read", "write"], "backend")
    assert (key.expires_at - key.created_at).days == 365
    assert "Key 1 of tenant 'clinic' may read and write until" in made.stderr
    assert secret not in made.stderr
    listed = call("list", "--json").stdout
    assert secret not in listed
    assert json.loads(listed)[0]["state"] == "taken"
    assert "backend" in call("list").stdout


def test_a_key_is_rotated_and_revoked_by_its_number(engine):
    old = call("create", "--tenant", "t", "--scope", "read", "--no-expiry").stdout.strip()
    new = call("rotate", 1, "--grace", "0d").stdout.strip()
    assert [is_taken(engine, secret) for secret in (old, new)] == [False, True]

    assert call("revoke", 2).stdout == "Key 2 of tenant 't' is revoked.\n"

    assert not is_taken(engine, new)
    assert [key["state"] for key in json.loads(call("list", "--json").stdout)] == ["expired", "revoked"]
    assert json.loads(call("list", "--tenant", "other", "--json").stdout) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "--tenant", "t"], "--scope"),
        (["create", "--scope", "read"], "--tenant"),
        (["create", "--tenant", "t", "--scope", "all"], "'read', 'write'"),
        (["create", "--tenant", "t", "--scope", "read", "--expires-in", "soon"], "365d"),
        (["rotate", "0"], "1<=x"),
    ],
)
def test_wrong_use_says_what_is_allowed(engine, arguments, said):
    done = call(*arguments)

    assert done.exit_code == 2
    assert said in done.output


def test_what_is_not_there_or_no_name_is_refused(engine):
    assert isinstance(call("revoke", 9).exception, RowNotFound)
    assert isinstance(call("create", "--tenant", "a\tb", "--scope", "read").exception, TonalogError)
