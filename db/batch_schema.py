"""The table of batches: which recordings a reprocess is for, what it was planned to cost, and how far the plan has come."""

from sqlalchemy import BigInteger, Boolean, Column, Double, ForeignKey, Integer, String, Table, text

from db.columns import Id, UtcDateTime
from db.reasons import BatchState
from db.schema import metadata, one_of

# A batch of one person is planned in one transaction, so that its row need not name the person. `jobs.batch_id` points
# here without a foreign key: batches are not deleted, and a million jobs need not be checked one by one.
batches = Table(
    "batches",
    metadata,
    Column("id", Id, primary_key=True),
    Column("model_id", Id, ForeignKey("models.id"), nullable=False),
    Column("state", String, nullable=False),
    Column("since", UtcDateTime),
    Column("until", UtcDateTime),
    Column("tenant", String),
    Column("is_of_person", Boolean, nullable=False),
    Column("sample", Double),  # share in (0, 1]; NULL: everything
    Column("only_label", String),  # of results of `label_model_id`
    Column("label_model_id", Id),
    Column("max_recordings", BigInteger),
    Column("with_unscorable", Boolean, nullable=False),
    # The plan: ids up to `cursor_id` have been looked at, and those after `last_id` were registered later.
    Column("cursor_id", BigInteger, nullable=False, server_default=text("0")),
    Column("last_id", BigInteger, nullable=False),
    Column("planned_at", UtcDateTime),
    Column("n_recordings", BigInteger, nullable=False, server_default=text("0")),
    Column("n_unscorable", BigInteger, nullable=False, server_default=text("0")),
    Column("n_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("known_ms", BigInteger, nullable=False, server_default=text("0")),  # audio of recordings that have a result
    Column("known_bytes", BigInteger, nullable=False, server_default=text("0")),  # and their size
    # The rate that the pump holds: jobs that may be enqueued now, at a moment of the database's clock.
    Column("rate_per_h", Integer),
    Column("allowance", Double, nullable=False, server_default=text("0")),
    Column("allowance_at_s", Double),
    Column("created_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    # How it ended; NULL until then.
    Column("n_done", BigInteger),
    Column("n_failed", BigInteger),
    Column("n_cancelled", BigInteger),
    Column("done_ms", BigInteger),
    one_of("state", BatchState),
)
