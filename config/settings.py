"""Read the environment once per process; never act on what it says."""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import unquote
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from config import broker_tls, mail_servers, networks, telemetry_values
from config.misspelt import find_misspelt, read_renamed
from config.periods import check_period

SHIPPED_MODELS = Path(__file__).resolve().parent.parent / "models"
_PREFIX = "TONALOG_"
_CRONTAB_FIELDS = 5
_MIN_SUBJECT_KEY = 32
_UNSET_WHERE_EMPTY = [
    "bundles",
    "events_queue",
    "events_lane",
    "key_pattern",
    "manifest",
    "tenant",
    "alert_tenant",
    "time_zone",
    "metrics_host",
    "log_format",
]
_RENAMED = {"rering_s": "redeliver_s"}  # former name of a setting -> its name


# The ready-made rules of storage.layouts, in order.
DEFAULT_LAYOUTS = "folders;whatsapp;telegram;signal;android;ios;browser;names;dates"
_MAX_TENANT = 200


class SettingsError(Exception):
    """A `TONALOG_*` variable holds a value that is not allowed, or is misspelt."""


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("no such time zone; use a name such as 'UTC' or 'Europe/Berlin'")
    return name


def _five_fields(crontab: str) -> str:
    if len(crontab.split()) != _CRONTAB_FIELDS:
        raise ValueError("not a crontab line; use five fields such as '0 2 * * *'")
    return crontab


Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PerSecond = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """Every setting of a Tonalog process; each is the variable `TONALOG_<NAME>`.

    Secrets are `SecretStr`, so that a printed or logged settings object shows none.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="forbid")

    home: Path = Field(Path(".tonalog"), description="Folder of the embedded database, broker and spool files.")
    database_url: SecretStr | None = Field(
        None,
        description="sqlite:/// or postgresql:// URL (TLS: ?sslmode=verify-full&sslrootcert=CA_FILE); unset: SQLite inside home.",
    )
    broker_url: SecretStr | None = Field(
        None, description="redis:// or rediss:// (TLS) URL; unset: a file queue inside home."
    )
    broker_ca_file: Path | None = Field(
        None, description="CA certificates of a rediss:// broker, besides those of the system."
    )
    broker_cert_file: Path | None = Field(
        None, description="Our certificate, for a rediss:// broker that asks for one."
    )
    broker_key_file: Path | None = Field(None, description="Key of broker_cert_file; unset: inside that file.")
    storage_url: str | None = Field(None, description="Where recordings are: s3://BUCKET/PREFIX or a folder.")
    s3_endpoint_url: str | None = Field(None, description="S3 server other than AWS; https:// for TLS.")
    s3_public_endpoint_url: str | None = Field(
        None, description="Where apps that upload over the HTTP API reach the S3 server; unset: at s3_endpoint_url."
    )
    s3_region: str = Field("us-east-1", description="S3 region.")
    s3_access_key: SecretStr | None = Field(
        None, description="S3 access key; unset: boto3's own chain (profile, role)."
    )
    s3_secret_key: SecretStr | None = Field(None, description="S3 secret key.")
    s3_ca_bundle: Path | None = Field(
        None, description="CA certificates of an https:// S3 endpoint, in place of the system's."
    )
    key_pattern: str = Field(
        DEFAULT_LAYOUTS,
        description="How person and time are read from an object key: patterns such as {subject}/{recorded_at}... and names "
        "of ready-made ones, tried in order, with ';' or a line break between them. Each field comes from the first that "
        "finds it.",
    )
    manifest: str | None = Field(
        None,
        description="Table of who spoke and when: a CSV or JSON Lines file or s3:// URL. Unset: manifest.csv or "
        "manifest.jsonl beside the recordings, where there is one. 'none': not that either, for whoever may upload it says "
        "who speaks in all recordings.",
    )
    object_metadata: bool = Field(
        default=True,
        description="Whether S3 metadata may say who spoke and when. false: scans need not ask for each new object.",
    )
    tenant: str = Field("default", description="Whose recordings they are, where nothing else says it.")
    time_zone: Annotated[str, AfterValidator(_known_zone)] = Field(
        "UTC", description="Zone of recording times that name none."
    )
    subject_key: SecretStr | None = Field(
        None,
        description="Secret of 32 characters or more: the database then holds a keyed hash of each person's name. "
        "Unset: the name itself, because whoever loses the key can no longer tell who is who.",
    )
    model_dir: Path | None = Field(None, description="Bundle folder of the first model; unset: the newest shipped one.")
    models_dir: Path = Field(SHIPPED_MODELS, description="Folder in which workers look for <name>-<version> bundles.")
    bundles: str | None = Field(
        None,
        description="Where `tonalog models add` stores bundles for every worker: s3://BUCKET/PREFIX or a folder; unset: the "
        "folder .bundles of home.",
    )
    models_in_memory: int = Field(
        2, ge=1, le=8, description="Model versions that a worker process holds at once, each of about 60 MB."
    )
    worker_concurrency: int = Field(
        default_factory=lambda: os.cpu_count() or 1, ge=1, le=256, description="Worker processes."
    )
    scorer_threads: int = Field(1, ge=1, le=64, description="ONNX threads in a worker process; 1 is fastest in total.")
    nightly_crontab: Annotated[str, AfterValidator(_five_fields)] = Field(
        "0 2 * * *", description="When the nightly scan runs, in UTC, five crontab fields."
    )
    drift_reference: Annotated[str | None, AfterValidator(check_period)] = Field(
        None,
        description="Days that each night's scores are held against, FIRST/LAST. Unset: the eight weeks before the last one.",
    )
    retention_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="The scheduler erases a recording this many days after it was registered, once a day, with all that is "
        "known of it; it needs an eraser's rights. Unset: it erases nothing.",
    )
    lease_s: Seconds = Field(60.0, description="How long a claim holds without a heartbeat.")
    heartbeat_s: Seconds = Field(
        15.0, description="How often a running job renews its lease, and a worker says that it is alive."
    )
    watchdog_s: Seconds = Field(
        300.0,
        description="A worker that takes nothing for this long while work waits in its lanes ends itself with status 70.",
    )
    queue_age_s: Seconds = Field(21_600.0, description="How long a job that is not bulk may wait; longer is a trouble.")
    sweep_s: Seconds = Field(15.0, description="How often the scheduler sweeps and pumps.")
    uploads_s: Seconds = Field(
        1.0, description="How often the scheduler looks for uploads over the HTTP API that are complete."
    )
    events_queue: str | None = Field(None, pattern="^https?://", description="SQS queue of the bucket's notifications.")
    events_lane: Literal["nightly", "interactive"] = Field(
        "nightly", description="Lane of jobs that notifications make."
    )
    redeliver_s: Seconds = Field(
        60.0,
        description="A job that nobody took is redelivered after this; doubled each time, 15 times as long at most.",
    )
    backoff_s: Seconds = Field(
        30.0, description="First wait after a failure that may pass; doubled each time, 60 times as long at most."
    )
    queue_cap: int = Field(
        1000,
        ge=1,
        description="How many jobs the pump keeps in the queue; for a while three times as many when uploads and nightly work meet bulk.",
    )
    soft_time_limit_s: int = Field(840, ge=1, description="A job is told to stop after this.")
    time_limit_s: int = Field(900, ge=2, description="A job's process is killed after this.")
    max_size_mb: int = Field(100, ge=1, description="Largest recording, in MiB.")
    max_duration_s: int = Field(14_400, ge=1, description="Longest recording, in decoded seconds.")
    max_decode_s: Seconds = Field(120.0, description="Longest processor time spent on decoding one recording.")
    child_memory_mb: int = Field(
        512,
        ge=128,
        description="Memory that a worker process may take beyond what it starts with, in MiB; a recording that needs "
        "more fails with MEMORY.",
    )
    api_requests_per_s: PerSecond = Field(
        50.0, description="How many requests a second `tonalog api` answers one key; twice as many at once."
    )
    api_open_uploads: int = Field(
        500,
        ge=1,
        le=1_000_000,
        description="How many uploads of one key of the HTTP API may wait for their bytes at once.",
    )
    api_audit_days: int = Field(
        365, ge=1, le=36_500, description="How long the audit of what keys of the HTTP API asked for is kept."
    )
    changes_days: int = Field(
        30, ge=1, le=36_500, description="How long the feed of changes of the HTTP API goes back."
    )
    webhook_allow: networks.Networks = Field(
        None,
        description="Networks that webhooks may go to besides public addresses, such as 10.1.0.0/16,fd00::/8; http:// is "
        "taken for these only.",
    )
    webhook_ca_file: Path | None = Field(
        None, description="CA certificates of the hosts that webhooks go to, besides those of the system."
    )
    webhook_days: int = Field(30, ge=1, le=36_500, description="How long deliveries of webhooks are kept.")
    alert_every_s: Seconds = Field(60.0, description="How often the scheduler looks for troubles, and sends mail.")
    alert_tenant: str = Field("default", description="Tenant whose webhook endpoints may be told of alerts.")
    smtp_url: mail_servers.ServerUrl = Field(
        None,
        description="Mail server: smtp://USER:PASSWORD@HOST:587 (STARTTLS is required), smtps://...:465 (TLS at once), or "
        "smtp+plain://HOST:25 (no TLS and no password).",
    )
    smtp_ca_file: mail_servers.CaFile = Field(
        None, description="CA certificates of the mail server, besides the system's."
    )
    alert_to: mail_servers.Recipients = Field(
        None, validate_default=True, description="Comma-separated addresses that get mail of alerts and nights."
    )
    alert_from: mail_servers.Sender = Field(
        None, description="Sender of that mail; unset: the first address of alert_to."
    )
    trend_baseline_days: int = Field(
        60,
        ge=60,
        le=365,
        description="Observed days that a person's trends are judged against; those of a person who has them stay.",
    )
    exports_days: int = Field(
        7,
        ge=1,
        le=365,
        description="How long an export that was asked for over HTTP is kept, in the folder exports of home.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Log level.")
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="How a log line is written: json or text; auto: json where stderr is a pipe or socket."
    )
    metrics_port: telemetry_values.Port = Field(
        None,
        description="Port at which this process tells its metrics, at /metrics without a key; each process of a machine "
        "needs its own. Unset: nowhere.",
    )
    metrics_host: str = Field(
        "127.0.0.1", description="Address at which it does; 0.0.0.0 lets other machines read them too."
    )
    task_events: bool = Field(
        default=True,
        description="Whether workers tell the broker of the jobs they take and end, by id, for tools such as Flower.",
    )
    traces_url: telemetry_values.HttpUrl = Field(
        None,
        description="Where traces go (extra traces): an OTLP/HTTP address such as http://collector:4318/v1/traces. Unset: "
        "none are made.",
    )
    traces_share: telemetry_values.Share = Field(
        1.0, description="Share of the jobs that are traced, the same ones in each process."
    )

    @field_validator("broker_url")
    @classmethod
    def _known_broker(cls, value: SecretStr | None) -> SecretStr | None:
        return None if value is None else SecretStr(broker_tls.check_url(value.get_secret_value()))

    @field_validator("broker_ca_file", "broker_cert_file", "broker_key_file")
    @classmethod
    def _usable(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        url = info.data.get("broker_url")
        if info.field_name == "broker_key_file" and value is not None and info.data.get("broker_cert_file") is None:
            raise ValueError("needs TONALOG_BROKER_CERT_FILE, the certificate of this key")
        return value and broker_tls.check_file(value, url and url.get_secret_value())

    @field_validator(*_UNSET_WHERE_EMPTY, mode="before")
    @classmethod
    def _set(cls, value: object, info: ValidationInfo) -> object:
        # Compose passes a variable that is not set on as an empty one.
        is_unset = isinstance(value, str) and not value.strip()
        return cls.model_fields[info.field_name or ""].default if is_unset else value

    @field_validator("tenant")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if len(value) > _MAX_TENANT or not value.isprintable():
            raise ValueError(f"has more than {_MAX_TENANT} characters or a control character")
        return value.strip()

    @field_validator("subject_key")
    @classmethod
    def _hard_to_guess(cls, value: SecretStr | None) -> SecretStr | None:
        # Compose passes a variable that is not set on as an empty one.
        if value is None or not value.get_secret_value():
            return None
        if len(value.get_secret_value()) < _MIN_SUBJECT_KEY:
            raise ValueError(
                f"has {len(value.get_secret_value())} characters, {_MIN_SUBJECT_KEY} are needed: `openssl rand -hex 32`"
            )
        return value

    @field_validator("time_limit_s")
    @classmethod
    def _over_soft(cls, value: int, info: object) -> int:
        soft = getattr(info, "data", {}).get("soft_time_limit_s", 0)
        if value <= soft:
            raise ValueError(f"must be more than soft_time_limit_s ({soft})")
        return value

    @classmethod
    def read(cls, **overrides: object) -> Self:
        """Read the environment; keyword arguments that are not None win over it.

        Raises:
            SettingsError: A value is not allowed; names the variable, what is allowed and, but for secrets, the value.
                Or a variable is none of ours and almost the name of one.
        """
        if misspelt := find_misspelt(os.environ, [*cls.model_fields, *_RENAMED], prefix=_PREFIX):
            raise SettingsError(f"{misspelt[0]}: no such setting; use {misspelt[1]}.")
        renamed = read_renamed(os.environ, _RENAMED, prefix=_PREFIX)
        given = renamed | {name: value for name, value in overrides.items() if value is not None}
        try:
            return cls(**given)  # type: ignore[arg-type]
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            is_secret = "SecretStr" in str(cls.model_fields[name].annotation)
            given_value = "" if is_secret else f"={str(first['input'])!r}"
            said = first["msg"].removeprefix("Value error, ")
            raise SettingsError(f"TONALOG_{name.upper()}{given_value}: {said}.") from None

    @property
    def is_embedded_broker(self) -> bool:
        """Whether the queue is the file queue inside `home`."""
        return self.broker_url is None

    @property
    def max_bytes(self) -> int:
        """Largest recording, in bytes."""
        return self.max_size_mb * 2**20

    @property
    def webhook_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of `webhook_allow`."""
        return networks.read_networks(self.webhook_allow)

    @property
    def database(self) -> str | Path:
        """The database's URL, secrets included; unless set, the file of the SQLite inside `home`.

        A path and no URL, because `?` and `%` in the name of a folder mean something else in a URL.
        """
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return _resolve(self.home) / "tonalog.db"

    @property
    def own_places(self) -> tuple[Path, ...]:
        """What we write on this machine, absolute: the home and, where one is named, a SQLite file.

        >>> [place.name for place in Settings(home="/a/home", database_url="sqlite:////b/scores.db?timeout=5").own_places]
        ['home', 'scores.db']
        """
        places = [self.home]
        if isinstance(self.database, str):
            scheme, _, rest = self.database.partition(":///")
            file = rest.partition("?")[0]
            if scheme.startswith("sqlite"):
                # SQLAlchemy 2.1 decodes the file of a URL, 2.0 takes it as it stands.
                places += [Path(name) for name in dict.fromkeys((file, unquote(file)))]
        return tuple(map(_resolve, places))

    @property
    def broker(self) -> str:
        """The Celery broker URL, secrets included."""
        return "filesystem://" if self.broker_url is None else self.broker_url.get_secret_value()

    def as_environment(self) -> dict[str, str]:
        """Return the `TONALOG_*` variables that make a child process read these very settings."""
        variables = {}
        for name, value in self:
            if value is None:
                continue
            plain = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            variables[f"TONALOG_{name.upper()}"] = plain
        variables["TONALOG_HOME"] = str(self.home.resolve())
        return variables


def _resolve(path: Path) -> Path:
    """Return an absolute path without links; `Path.resolve` raises where they go in a circle."""
    return Path(os.path.realpath(path))
