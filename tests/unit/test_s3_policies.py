"""The policies in deploy/s3 allow what the code calls, one thing at a time, and nothing that the code never does."""

import ast

import pytest
from botocore import xform_name
from botocore.session import get_session
from command import ROOT
from s3_policies import BUCKET, NEEDS, ON_BUCKET, allowed, statements

from worker.bundle_store import FOLDER

ROLES = ("worker", "scheduler", "eraser", "api", "operator")
PART_OF = {"api": f"{BUCKET}/uploads/*", "operator": f"{BUCKET}/.bundles/*"}


def calls_in_storage():
    """Every S3 operation that a line of storage/ asks a boto3 client for."""
    names = {xform_name(name): name for name in get_session().get_service_model("s3").operation_names}
    for file in (ROOT / "storage").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_client(node.func.value):
                is_named = node.func.attr in {"get_paginator", "generate_presigned_url"}
                asked = node.args[0].value if is_named else node.func.attr
                yield names[asked]


def is_client(node):
    return getattr(node, "attr", getattr(node, "id", None)) in ("client", "_client")


def test_every_call_of_the_code_is_allowed_to_somebody():
    calls = set(calls_in_storage())

    assert {"ListObjectsV2", "HeadObject", "GetObject", "DeleteObject"} <= calls
    assert {call for call in calls if not any(NEEDS[call] <= allowed(role) for role in ROLES)} == set()


@pytest.mark.parametrize("role", ROLES)
def test_a_policy_allows_named_actions_on_one_bucket_each_on_the_kind_of_resource_that_it_has(role):
    for statement in statements(role):
        on_bucket = set(statement["Action"]) <= ON_BUCKET
        assert statement["Effect"] == "Allow"
        assert statement["Resource"] == (BUCKET if on_bucket else PART_OF.get(role, f"{BUCKET}/*"))
        assert not any("*" in action for action in statement["Action"])


def test_who_may_delete_who_may_write_and_that_nobody_may_change_the_bucket():
    deleting = {role for role in ROLES if any("Delete" in action for action in allowed(role))}
    writing = {role for role in ROLES if any("Put" in action for action in allowed(role))}

    assert deleting == {"eraser", "operator"}
    assert writing == {"api", "operator"}
    assert {action for role in ROLES for action in allowed(role) if "Put" in action} == {"s3:PutObject"}
    assert not any("Policy" in action for role in ROLES for action in allowed(role))


def test_bundles_lie_where_the_operators_policy_says():
    assert PART_OF["operator"] == f"{BUCKET}/{FOLDER}/*"


def test_the_policy_of_the_queue_allows_what_the_scheduler_asks_of_it():
    tree = ast.walk(ast.parse((ROOT / "storage" / "event_queue.py").read_text()))
    calls = [node.func for node in tree if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    asked = {call.attr for call in calls if getattr(call.value, "attr", None) == "_sqs"}

    assert asked == {"receive_message", "delete_message_batch"}
    assert allowed("events") == {"sqs:ReceiveMessage", "sqs:DeleteMessage"}
