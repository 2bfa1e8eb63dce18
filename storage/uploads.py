"""What an upload over HTTP needs of storage: a key that names nobody, and who and when as a scan reads them later."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from storage.encoded_words import decode_word
from storage.statements import of_metadata

FOLDER = "uploads"
HEADER_PREFIX = "x-amz-meta-"
_STEM = "note"
_PLAIN = re.compile(r"[!-~](?:[ -~]*[!-~])?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Speaker:
    """Who speaks in an upload, when, and whose it is; the texts that a manifest or sidecar would hold.

    Attributes:
        subject: the person's name, as the uploader says it.
        recorded_at: RFC 3339 with an offset, or a day.
        tenant: whose recording it is.
        zone: IANA name of the recorder's zone; None: nobody said.
    """

    subject: str
    recorded_at: str
    tenant: str
    zone: str | None = None


def make_key(prefix: str, upload_id: str, extension: str) -> str:
    """Name the object of an upload, in a folder of its own.

    >>> make_key("2026/", "7f3a", "ogg"), make_key("notes", "7f3a", "m4a")
    ('2026/uploads/7f3a/note.ogg', 'notes/uploads/7f3a/note.m4a')
    """
    base = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
    return f"{base}{FOLDER}/{upload_id}/{_STEM}.{extension}"


def is_upload(key: str) -> bool:
    """Whether `make_key` may have made this key.

    >>> is_upload("2026/uploads/7f3a/note.ogg"), is_upload("uploads/7f3a/memo.ogg"), is_upload("ana/note.ogg")
    (True, False, False)
    """
    parts = key.split("/")
    return parts[-3:-2] == [FOLDER] and parts[-1].startswith(f"{_STEM}.")


def make_metadata(speaker: Speaker) -> dict[str, str]:
    """Write who and when as an object's metadata, in ASCII; `storage.statements.of_metadata` reads it.

    >>> make_metadata(Speaker(subject="Zoë", recorded_at="2026-03-02", tenant="default"))
    {'subject-id': '=?utf-8?b?Wm/Dqw==?=', 'recorded-at': '2026-03-02', 'tenant': 'default'}
    """
    values = {
        "subject-id": _as_header(speaker.subject),
        "recorded-at": speaker.recorded_at,
        "tenant": _as_header(speaker.tenant),
    }
    return values if speaker.zone is None else {**values, "zone": speaker.zone}


def read_metadata(metadata: Mapping[str, str]) -> Speaker | None:
    """Read who and when of metadata or of headers without their prefix; None where it is not all there.

    >>> read_metadata({"subject-id": "=?utf-8?b?Wm/Dqw==?=", "recorded-at": "2026-03-02", "tenant": "default"}).subject
    'Zoë'
    """
    said = of_metadata({name: decode_word(value) for name, value in metadata.items()})
    if said.subject is None or said.recorded_at is None or said.tenant is None:
        return None
    return Speaker(subject=said.subject, recorded_at=said.recorded_at, tenant=said.tenant, zone=said.zone)


def bind(speaker: Speaker, *, secret: str | None) -> str:
    """Make what tells later whether an object says the same of who and when, and does not tell who it is.

    Args:
        speaker: who and when.
        secret: the key that subjects are stored under; None: they are plain text, and so this need not hide them.
    """
    text = json.dumps([speaker.subject, speaker.recorded_at, speaker.tenant, speaker.zone])
    return hmac.new((secret or "").encode(), text.encode(), hashlib.sha256).hexdigest()


def make_sidecar(speaker: Speaker) -> bytes:
    """Write who and when as the JSON file beside a recording; `storage.sidecars.read_sidecar` reads it."""
    document = {"subject": speaker.subject, "recorded_at": speaker.recorded_at, "tenant": speaker.tenant}
    if speaker.zone is not None:
        document["zone"] = speaker.zone
    return json.dumps(document, ensure_ascii=False).encode()


def _as_header(text: str) -> str:
    """Write a text as S3 keeps it: plain ASCII as it is, anything else as one RFC 2047 encoded word."""
    is_plain = _PLAIN.fullmatch(text) and "=?" not in text
    return text if is_plain else f"=?utf-8?b?{base64.b64encode(text.encode()).decode()}?="
