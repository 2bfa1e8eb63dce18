"""Make a boto3 client that gives up in time and works with servers other than AWS; never contacts one."""

from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.loaders import Loader, create_loader
from botocore.session import get_session
from botocore.utils import parse_timestamp

from storage.errors import StorageDenied
from storage.s3_errors import translated

if TYPE_CHECKING:
    from botocore.session import Session as CoreSession
    from mypy_boto3_s3.client import S3Client

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
N_REQUEST_ATTEMPTS = 4
N_CONNECTIONS = 16  # as many as `storage.intake` asks at once


class ClientOptions(TypedDict):
    """What a client is made of; `verify` is False, True, or a file of CA certificates."""

    bucket: str
    endpoint_url: str | None
    region: str
    access_key: str | None
    secret_key: str | None
    verify: bool | str


def make_client(
    bucket: str,
    *,
    endpoint_url: str | None,
    region: str,
    access_key: str | None,
    secret_key: str | None,
    verify: bool | str,
    signature_version: str | None = None,
) -> "S3Client":
    """Make a client with a session of its own, because boto3's shared one is not safe between threads.

    Args:
        bucket: for messages.
        endpoint_url: None for AWS.
        region: where the bucket is.
        access_key: None for boto3's own chain.
        secret_key: None for boto3's own chain.
        verify: False, True, or a file of CA certificates.
        signature_version: how requests are signed; None: as botocore sees fit.

    Raises:
        StorageDenied: endpoint, region, certificate file or credentials cannot be used.
    """
    if isinstance(verify, str) and not Path(verify).exists():
        raise StorageDenied(f"there is no file {verify!r}: correct TONALOG_S3_CA_BUNDLE")
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": N_REQUEST_ATTEMPTS},
        max_pool_connections=N_CONNECTIONS,
        s3={"addressing_style": "path" if endpoint_url else "auto"},
        # Servers other than AWS often do not know the checksums that boto3 adds to uploads since 1.36.
        request_checksum_calculation="when_required",
        signature_version=signature_version,
    )
    with translated(bucket, endpoint_url):
        session = Session(access_key, secret_key, region_name=region, botocore_session=_make_core())
        try:
            return session.client("s3", endpoint_url=endpoint_url, verify=verify, config=config)
        except BotoCoreError:
            raise  # some of these are ValueErrors too
        except ValueError as error:
            raise StorageDenied(f"{error}: correct TONALOG_S3_ENDPOINT_URL") from error


def preload() -> None:
    """Read what botocore makes clients of, so that processes forked later share it: 15 MB and 0.1 s of each; contacts nothing."""
    known = {"access_key": "none", "secret_key": "none", "region": "us-east-1"}
    make_client("none", endpoint_url="http://localhost", verify=True, **known)


@cache
def _share_loader() -> Loader:
    """Make what reads botocore's files and keeps them; every session would have its own."""
    return create_loader()


def _make_core() -> "CoreSession":
    """Make botocore's session; a page of a listing is a thousand times, and its own way of reading them takes half of all."""
    core = get_session()
    loader = _share_loader()
    loader.search_paths[:] = dict.fromkeys(loader.search_paths)  # each session of boto3 adds its own again
    core.register_component("data_loader", loader)
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_read_time)
    return core


def _read_time(value: str | float) -> datetime:
    """Read a time of an answer: as listings or headers write it, else in whatever way botocore knows."""
    for read in (datetime.fromisoformat, parsedate_to_datetime) if isinstance(value, str) else ():
        with suppress(ValueError, TypeError):
            if (time := read(cast("str", value))).tzinfo is not None:
                return time
    return parse_timestamp(cast("str", value))  # it takes numbers too
