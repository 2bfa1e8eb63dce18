"""A sidecar: a JSON file beside a recording that says who spoke, and when."""

import json

from storage.objects import MAX_KEY_BYTES
from storage.statements import FIELDS, Statement, as_text, make_statement

MAX_SIDECAR_BYTES = 1024 * 1024
SUFFIX = ".json"


def sidecar_keys(key: str) -> tuple[str, ...]:
    """Return the keys under which a recording's sidecar may lie, the better one first; none that is too long for a key.

    >>> sidecar_keys("ana/note.ogg"), sidecar_keys("k" * 1_020 + ".ogg")
    (('ana/note.ogg.json', 'ana/note.json'), ())
    """
    folder, slash, name = key.rpartition("/")
    stem = name.rpartition(".")[0] or name
    names = (f"{key}{SUFFIX}", f"{folder}{slash}{stem}{SUFFIX}")
    return tuple(name for name in names if len(name.encode(errors="surrogateescape")) <= MAX_KEY_BYTES)


def read_sidecar(content: bytes) -> Statement:
    """Read a sidecar; what else the object holds is no concern of ours, and a document that is none says nothing.

    >>> read_sidecar(b'{"subject": "ana", "recorded_at": 1772439300, "title": "x"}').recorded_at
    '1772439300'
    >>> read_sidecar(b'{"subject": ').problem
    'the sidecar is no JSON'
    """
    place = "sidecar"
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return Statement(place=place, problem="the sidecar is no JSON")
    if not isinstance(document, dict):
        return Statement(place=place)
    try:
        return make_statement(((name, as_text(document.get(name))) for name in FIELDS), place=place)
    except ValueError as error:
        return Statement(place=place, problem=f"the sidecar {error}")
