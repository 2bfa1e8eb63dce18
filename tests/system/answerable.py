"""Hooks of schemathesis: make of its questions such as an app asks, where the document cannot say all of what is allowed.

A cursor is one that the server gave for the same question, which no schema can say; so none is sent. Of two days the later
one is `until`. All about a person is of one person and of all time.
"""

import schemathesis


@schemathesis.hook
def before_call(_context, case, **_):
    query = case.query or {}
    query.pop("cursor", None)
    put_in_order(query)
    if case.path == "/v1/exports" and isinstance(case.body, dict):
        put_in_order(case.body)
        if case.body.get("format") == "person":
            case.body |= {"subject": "anna", "since": None, "until": None}


def put_in_order(asked):
    since, until = asked.get("since"), asked.get("until")
    if isinstance(since, str) and isinstance(until, str) and since > until:
        asked["since"], asked["until"] = until, since
