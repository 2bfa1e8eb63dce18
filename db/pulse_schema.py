"""The tables of watching over the system: live workers, failed slots, alerts, nights to report, and mail to send.

No row names a person or an object.
"""

from sqlalchemy import BigInteger, Column, Double, Index, Integer, String, Table, text

from db.columns import Document, Id, UtcDateTime
from db.reasons import JobState, TroubleKind
from db.schema import jobs, metadata, one_of

# One row a worker process (the parent of its pool), written every few seconds while it runs.
worker_pulses = Table(
    "worker_pulses",
    metadata,
    Column("host", String, primary_key=True),
    Column("pid", BigInteger, primary_key=True, autoincrement=False),
    Column("lanes", Document, nullable=False),
    Column("n_processes", Integer, nullable=False),
    Column("version", String, nullable=False),  # of Tonalog
    Column("revision", String, nullable=False),  # of the schema that this release needs
    Column("model", String),  # name-version of the active model as it was at the last look; NULL: none is active
    Column("bundle_sha256", String),  # of the bundle that the worker has for it; NULL: it has none
    Column("bundle_error", String),  # why it cannot be used; NULL: it can
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at_s", Double, nullable=False),  # on the database's clock
    Column("host_at_s", Double, nullable=False),  # at the same moment on the worker's own clock
    Column("last_job_id", Id),
    Column("last_job_at", UtcDateTime),
)

# Why the last run of a slot that is not done yet failed, and how many did.
slot_failures = Table(
    "slot_failures",
    metadata,
    Column("name", String, primary_key=True),
    Column("slot", UtcDateTime, primary_key=True),
    Column("n_failures", Integer, nullable=False),
    Column("failed_at", UtcDateTime, nullable=False),
    Column("error", String, nullable=False),
)

# One row from the beginning of a trouble to its end.
alerts = Table(
    "alerts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", String, nullable=False),
    Column("about", String, nullable=False),  # a lane, a slot or a reason; empty where there is one of a kind
    Column("text", String, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("closed_at", UtcDateTime),
    one_of("kind", TroubleKind),
)
Index(
    "uq_alerts_open",
    alerts.c.kind,
    alerts.c.about,
    unique=True,
    sqlite_where=text("closed_at IS NULL"),
    postgresql_where=text("closed_at IS NULL"),
)

# Which jobs a nightly slot made: those of its lanes with ids in (after_job_id, upto_job_id].
nights = Table(
    "nights",
    metadata,
    Column("slot", UtcDateTime, primary_key=True),
    Column("after_job_id", Id, nullable=False),
    Column("upto_job_id", Id),  # NULL until the scan has ended
    Column("began_at", UtcDateTime, nullable=False),
    Column("scanned_at", UtcDateTime),
    Column("reported_at", UtcDateTime),
    Column("summary", Document),
)

mails = Table(
    "mails",
    metadata,
    Column("id", Id, primary_key=True),
    Column("token", String, nullable=False, unique=True),  # of its Message-ID, the same at every attempt
    Column("headline", String, nullable=False),  # its subject; that word is for people here
    Column("body", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("n_attempts", Integer, nullable=False),
    Column("next_at_s", Double, nullable=False),
    Column("sent_at", UtcDateTime),
    Column("error", String),
    Index("ix_mails_created_at", "created_at"),
)

# The newest deaths are looked at every minute; of a large ledger few jobs are dead.
Index(
    "ix_jobs_dead_finished_at",
    jobs.c.finished_at,
    sqlite_where=text(f"state = '{JobState.DEAD.value}'"),
    postgresql_where=text(f"state = '{JobState.DEAD.value}'"),
)
