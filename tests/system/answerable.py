"""Hooks of schemathesis: make of its questions such as an app asks, where the document cannot say all of what is allowed.

A cursor is one that the server gave for the same question, which no schema can say; so none is sent. Of two days the later
one is `until`. What is uploaded was recorded at a time that exists, the URL of a webhook is one of a public host, each POST has an
idempotency key of its own, and all about a person is of one person and of all time.
"""

import uuid

import schemathesis


@schemathesis.hook
def before_call(_context, case, **_):
    if case.method == "POST" and case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    if (case.method, case.path) == ("POST", "/v1/uploads") and isinstance(case.body, dict):
        make_upload(case.body)
    if isinstance(case.body, dict) and isinstance(case.body.get("url"), str):  # most URLs are none of a public host
        case.body["url"] = "https://app.example/hooks"
    query = case.query or {}
    query.pop("cursor", None)
    put_in_order(query)
    if case.path == "/v1/exports" and isinstance(case.body, dict):
        put_in_order(case.body)
        if case.body.get("format") == "person":
            case.body |= {"subject": "anna", "since": None, "until": None}
    if isinstance(case.body, dict) and isinstance(case.body.get("url"), str):  # most URLs are none of a public host
        case.body["url"] = "https://app.example/hooks"


def put_in_order(asked):
    since, until = asked.get("since"), asked.get("until")
    if isinstance(since, str) and isinstance(until, str) and since > until:
        asked["since"], asked["until"] = until, since


def make_upload(body):
    body["subject"] = "ana"
    body["recorded_at"] = "2026-03-02T09:15:00+01:00"
    if isinstance(body.get("time_zone"), str):
        body["time_zone"] = "Europe/Berlin"
    if isinstance(body.get("size_bytes"), int):
        body["size_bytes"] = min(body["size_bytes"], 1_000_000)
