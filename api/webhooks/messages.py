"""What a webhook says, and how it is signed: thin payloads of ids, after the Standard Webhooks specification."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

from db.deliveries import Recipient, Taken
from db.reasons import EventKind

_USER_AGENT = "Tonalog-Webhooks"
_OF_LIVE_NOTE = {EventKind.NOTE_SCORED, EventKind.NOTE_FAILED}
_OF_PERSON = {EventKind.DAY_UPDATED, EventKind.TREND_CHANGED}


def compose(taken: Taken, recipient: Recipient) -> str | None:
    """Write the body of a message; None where what it is about is not there any more.

    Who speaks is read now, so that a message under way names nobody who was erased or renamed meanwhile.
    """
    data: dict[str, Any] = {}
    if taken.kind in _OF_LIVE_NOTE:
        if not recipient.is_there:
            return None
        data = {"note_id": taken.recording_id, "subject": recipient.subject}
    elif taken.kind in _OF_PERSON:
        if recipient.subject is None:
            return None
        data = {"subject": recipient.subject}
    elif taken.kind is EventKind.NOTE_DELETED:
        data = {"note_id": taken.recording_id}
    if taken.day is not None:
        data["day"] = taken.day.isoformat()
    at = taken.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    message = {"type": taken.kind.value, "timestamp": at, "data": {**data, **taken.data}}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def sign(body: str, *, message_id: str, secrets: Sequence[str], now: datetime) -> dict[str, str]:
    """Make the headers of a message.

    Args:
        body: what is sent.
        message_id: the same at every attempt, so that a receiver can tell a message that it has.
        secrets: each gives a signature.
        now: the time of this attempt; a receiver refuses what is old.
    """
    signatures = [Webhook(secret).sign(message_id, now, body) for secret in secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": _USER_AGENT,
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
