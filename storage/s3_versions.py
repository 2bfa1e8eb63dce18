"""Remove an S3 object with all its versions, whether or not its bucket keeps any; never touches another key."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from storage.errors import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

# A round removes all that is listed. More than one is needed where somebody writes meanwhile, or a listing lags behind.
N_ROUNDS = 5
# What servers that keep no versions answer to ListObjectVersions ("List of error codes", Amazon S3 API Reference).
NO_VERSIONS = {"NotImplemented", "MethodNotAllowed"}


def erase_versions(client: "S3Client", bucket: str, key: str) -> None:
    """Remove every version and delete marker of a key, and look again until nothing is there.

    Args:
        client: how to reach the server.
        bucket: where the object is.
        key: its name; keys that only begin with it are left alone.

    Raises:
        ClientError, BotoCoreError: as boto3 does.
        StorageUnavailable: something is still there after five rounds.
    """
    for _ in range(N_ROUNDS):
        versions = list(_versions(client, bucket, key))
        if not versions and not _is_there(client, bucket, key):
            return
        for version in versions:
            client.delete_object(Bucket=bucket, Key=key, VersionId=version)
        if not versions:
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
        if error.response.get("Error", {}).get("Code") not in NO_VERSIONS:
            raise


def _is_there(client: "S3Client", bucket: str, key: str) -> bool:
    try:
        client.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") != 404:  # noqa: PLR2004 - not found
            raise
        return False
    return True
