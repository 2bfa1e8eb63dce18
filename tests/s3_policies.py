"""The policies of deploy/s3, and what each call of boto3 needs of them; never talks to a server."""

import json

from command import ROOT

FOLDER = ROOT / "deploy" / "s3"
BUCKET = "arn:aws:s3:::voice-notes"
READ = frozenset({"s3:GetObject", "s3:ListBucket"})
# "Required permissions for Amazon S3 API operations" (Amazon S3 User Guide). HEAD is a GetObject to IAM; and who may not
# list is told 403 instead of 404 of an object that is gone, which would make its job wait for a day instead of ending it.
NEEDS = {
    "ListObjectsV2": frozenset({"s3:ListBucket"}),
    "HeadObject": READ,
    "GetObject": READ,
    "ListObjectVersions": frozenset({"s3:ListBucketVersions"}),
    "ListMultipartUploads": frozenset({"s3:ListBucketMultipartUploads"}),
    "AbortMultipartUpload": frozenset({"s3:AbortMultipartUpload"}),
    "PutObject": frozenset({"s3:PutObject"}),
    "DeleteObject": frozenset({"s3:DeleteObject"}),
}
ON_BUCKET = {"s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"}


def statements(role):
    return json.loads((FOLDER / f"{role}.json").read_text())["Statement"]


def allowed(role):
    """The actions that a role's policy allows."""
    return {action for statement in statements(role) for action in statement["Action"]}


def record_calls(client):
    """Collect the IAM actions that every later call of a client needs."""
    needed = set()

    def note(params, model, **_):
        is_version = model.name == "DeleteObject" and "VersionId" in params
        needed.update({"s3:DeleteObjectVersion"} if is_version else NEEDS[model.name])

    client.meta.events.register("provide-client-params.s3", note)
    return needed
