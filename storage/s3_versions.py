"""Remove an S3 object with all its versions and unfinished uploads, whatever its bucket keeps; never touches another key."""

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from storage.errors import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

# A round removes all that is listed. More than one is needed where somebody writes meanwhile, or a listing lags behind.
N_ROUNDS = 5
# What servers that keep no versions, or know no uploads in parts, answer to the lists of them ("List of error codes", Amazon S3 API Reference).
NO_SUCH_LIST = {"NotImplemented", "MethodNotAllowed"}


def erase_versions(client: "S3Client", bucket: str, key: str) -> None:
    """Remove every version, delete marker and unfinished upload of a key, and look again until nothing is there.

    The parts of an upload that was never finished hold audio too, and no listing of objects shows them.

    Args:
        client: how to reach the server.
        bucket: where the object is.
        key: its name; keys that only begin with it are left alone.

    Raises:
        ClientError, BotoCoreError: as boto3 does.
        StorageUnavailable: something is still there after five rounds.
    """
    for _ in range(N_ROUNDS):
        versions, uploads = list(_versions(client, bucket, key)), list(_uploads(client, bucket, key))
        if not versions and not uploads and not _is_there(client, bucket, key):
            return
        for upload in uploads:
            with suppress(client.exceptions.NoSuchUpload):  # finished or given up meanwhile: the next round looks
                client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        for version in versions:
            client.delete_object(Bucket=bucket, Key=key, VersionId=version)
        if not versions and _is_there(client, bucket, key):
            client.delete_object(Bucket=bucket, Key=key)
    raise StorageUnavailable(f"an object is still there after {N_ROUNDS} rounds of removing it: try again")


def _versions(client: "S3Client", bucket: str, key: str) -> Iterator[str]:
    pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key)
    try:
        for page in pages:
            for item in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                if item["Key"] == key:
                    yield item["VersionId"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in NO_SUCH_LIST:
            raise


def _uploads(client: "S3Client", bucket: str, key: str) -> Iterator[str]:
    pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=key)
    try:
        for page in pages:
            for item in page.get("Uploads", []):
                if item["Key"] == key:
                    yield item["UploadId"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in NO_SUCH_LIST:
            raise


def _is_there(client: "S3Client", bucket: str, key: str) -> bool:
    try:
        client.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") != 404:  # noqa: PLR2004 - not found
            raise
        return False
    return True
