"""`tonalog keys`: who may ask the HTTP API, for which tenant, and until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from config.settings import Settings
from db import api_keys
from db.api_keys import ApiKey, NewKey
from db.reasons import Scope
from storage.identity import MAX_SUBJECT_CHARACTERS, clean_name
from tonalog.days import Days
from tonalog.errors import TonalogError
from tonalog.report import when
from tonalog.screen import new_table, say, say_json, show
from tonalog.session import open_database

_EXPIRES_IN = click.option(
    "--expires-in", "lifetime", type=Days(), default="365d", show_default=True, help="How long it is taken."
)
_NO_EXPIRY = click.option("--no-expiry", "has_no_end", is_flag=True, help="Take it until it is revoked.")
_CREATE_EPILOG = """\b
Examples:
  tonalog keys create --tenant clinic --scope read --name backend
  tonalog keys create --tenant clinic --scope read --scope write --expires-in 90d
"""


@click.group(name="keys")
def keys_command() -> None:
    """Make, list, replace and revoke the keys of the HTTP API. A key sees one tenant."""


@keys_command.command(name="create", epilog=_CREATE_EPILOG)
@click.option("--tenant", required=True, help="Whose notes it sees.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    required=True,
    help="What it may do: read, write (upload recordings, erase people), or events (tell of new objects).",
)
@click.option("--name", default="", help="What you call it, such as the app that has it.")
@_EXPIRES_IN
@_NO_EXPIRY
def create(*, tenant: str, scopes: tuple[str, ...], name: str, lifetime: timedelta, has_no_end: bool) -> None:
    """Make a key and print it. It is kept nowhere, so it cannot be shown again."""
    whose = clean_name(tenant)
    if whose is None or (name and clean_name(name) is None):
        allowed = f"1 to {MAX_SUBJECT_CHARACTERS} characters, no control character"
        raise TonalogError(f"tenant {tenant!r} and name {name!r} cannot both be used: allowed are {allowed}.")
    made = api_keys.create(
        open_database(Settings.read()),
        whose,
        name=name,
        scopes=[Scope(scope) for scope in scopes],
        lifetime=None if has_no_end else lifetime,
    )
    _print(made)


@keys_command.command(name="list", epilog="Example: tonalog keys list --tenant clinic")
@click.option("--tenant", help="Only this tenant's keys.")
@click.option("--json", "as_json", is_flag=True, help="One JSON list.")
def list_all(*, tenant: str | None, as_json: bool) -> None:
    """List the keys, with those that are taken no more; the keys themselves are kept nowhere."""
    found = api_keys.list_keys(open_database(Settings.read()), tenant=tenant)
    if as_json:
        say_json([_as_dict(key) for key in found])
        return
    table = new_table("Keys", ["key", "tenant", "name", "scopes", "made", "ends", "state"], right=["key"])
    for key in found:
        ends = "never" if key.expires_at is None else when(key.expires_at)
        table.add_row(
            str(key.id), key.tenant, key.name, " ".join(sorted(key.scopes)), when(key.created_at), ends, _state(key)
        )
    show(table)


@keys_command.command(name="rotate", epilog="Example: tonalog keys rotate 3 --grace 7d")
@click.argument("key_id", type=click.IntRange(1, 2**63 - 1), metavar="KEY")
@click.option(
    "--grace",
    type=Days(least=0),
    default="1d",
    show_default=True,
    help="How long the old one is taken beside the new one.",
)
@_EXPIRES_IN
@_NO_EXPIRY
def rotate(*, key_id: int, grace: timedelta, lifetime: timedelta, has_no_end: bool) -> None:
    """Make a key in the place of KEY (its number), with the same tenant and scopes, and print it."""
    engine = open_database(Settings.read())
    _print(api_keys.rotate(engine, key_id, grace=grace, lifetime=None if has_no_end else lifetime))


@keys_command.command(name="revoke", epilog="Example: tonalog keys revoke 3")
@click.argument("key_id", type=click.IntRange(1, 2**63 - 1), metavar="KEY")
def revoke(*, key_id: int) -> None:
    """Take KEY (its number) no more, from the next request on."""
    key = api_keys.revoke(open_database(Settings.read()), key_id)
    say(f"Key {key.id} of tenant {key.tenant!r} is revoked.")


def _print(made: NewKey) -> None:
    # The key alone on stdout, so that a script can take it from there.
    say(made.secret)
    ends = "it is revoked" if made.key.expires_at is None else f"{when(made.key.expires_at)} UTC"
    scopes = " and ".join(sorted(made.key.scopes))
    say(f"Key {made.key.id} of tenant {made.key.tenant!r} may {scopes} until {ends}. It is not shown again.", err=True)


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= datetime.now(UTC) else "taken"


def _as_dict(key: ApiKey) -> dict[str, object]:
    same = {name: getattr(key, name) for name in ApiKey.__dataclass_fields__}
    return {**same, "scopes": sorted(key.scopes), "state": _state(key)}
