"""Every metric of Tonalog, declared in one place; docs/metrics.md lists them, and a test holds the two together.

Each kind of process has a registry of its own, so that no process tells zeros of what another one counts. Labels are words
of ours, lanes, stages, routes, and models: no label holds a key, a name or a tenant.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from telemetry.database import DatabaseCollector, Declared

WORKER: Final = CollectorRegistry(auto_describe=True)
SCHEDULER: Final = CollectorRegistry(auto_describe=True)
API: Final = CollectorRegistry(auto_describe=True)
WEBHOOKS: Final = CollectorRegistry(auto_describe=True)
REGISTRIES: Final = {"worker": WORKER, "scheduler": SCHEDULER, "api": API, "webhooks": WEBHOOKS}

STAGES: Final = ("load", "fetch", "decode", "vad", "model", "voice", "rest", "finish")
"""Of one attempt, in order; `load` builds the model's session, `finish` writes the result."""

_STAGE_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_ATTEMPT_BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0)
_REQUEST_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_TICK_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

# The worker: filled in its first process from what its pool processes send (`telemetry.samples`).
ATTEMPTS: Final = Counter(
    "tonalog_attempts", "Attempts at jobs that ended, by how.", ["lane", "outcome", "reason"], registry=WORKER
)
ATTEMPT_SECONDS: Final = Histogram(
    "tonalog_attempt_seconds",
    "Wall time of one attempt.",
    ["lane"],
    buckets=_ATTEMPT_BUCKETS_S,
    registry=WORKER,
)
STAGE_SECONDS: Final = Histogram(
    "tonalog_stage_seconds",
    "Wall time of one stage of one attempt.",
    ["stage"],
    buckets=_STAGE_BUCKETS_S,
    registry=WORKER,
)
AUDIO_SECONDS: Final = Counter(
    "tonalog_audio_seconds", "Length of the recordings that got a result.", ["lane", "status"], registry=WORKER
)
LEASE_LOSSES: Final = Counter("tonalog_lease_losses", "Attempts that found their job in other hands.", registry=WORKER)
LOADED_MODEL: Final = Gauge(
    "tonalog_loaded_model_info", "1 for each bundle that this worker has scored with.", ["model"], registry=WORKER
)
POOL_PROCESSES: Final = Gauge("tonalog_pool_processes", "Pool processes that this worker runs now.", registry=WORKER)
SAMPLES_REFUSED: Final = Counter(
    "tonalog_samples_refused", "Lines from pool processes that were no sample.", registry=WORKER
)

# The scheduler.
TICK_SECONDS: Final = Histogram(
    "tonalog_tick_seconds",
    "Wall time of one tick, those that failed included.",
    buckets=_TICK_BUCKETS_S,
    registry=SCHEDULER,
)
TICK_FAILURES: Final = Counter("tonalog_tick_failures", "Ticks that ended with an error.", registry=SCHEDULER)
SCAN_PAGES: Final = Counter("tonalog_scan_pages", "Pages of listings that were taken in.", registry=SCHEDULER)
SCAN_OBJECTS: Final = Counter(
    "tonalog_scan_objects", "Objects that scans have seen, by what they were.", ["found"], registry=SCHEDULER
)
HINTS: Final = Counter(
    "tonalog_hints", "Objects that notifications named, by what became of them.", ["outcome"], registry=SCHEDULER
)
NIGHTLY_RUNS: Final = Counter(
    "tonalog_nightly_runs", "Nightly runs that ended, by how.", ["outcome"], registry=SCHEDULER
)
for _outcome in ("done", "failed"):
    NIGHTLY_RUNS.labels(_outcome)  # told as 0: an increase from nothing is none to Prometheus
JOBS_PUBLISHED: Final = Counter(
    "tonalog_jobs_published", "Messages sent to the queue, redelivered ones included.", ["lane"], registry=SCHEDULER
)
BROKER_REFUSALS: Final = Counter(
    "tonalog_broker_refusals", "Times that the broker took no message.", registry=SCHEDULER
)
LEASES_EXPIRED: Final = Counter(
    "tonalog_leases_expired",
    "Leases that ran out, by what became of their jobs.",
    ["disposition"],
    registry=SCHEDULER,
)

# The HTTP API, and whoever sends webhooks.
HTTP_REQUESTS: Final = Counter(
    "tonalog_http_requests", "Requests that were answered.", ["method", "route", "status"], registry=API
)
HTTP_SECONDS: Final = Histogram(
    "tonalog_http_request_seconds",
    "Wall time of one request, until its audit row is committed.",
    ["route"],
    buckets=_REQUEST_BUCKETS_S,
    registry=API,
)
WEBHOOK_ATTEMPTS: Final = Counter(
    "tonalog_webhook_attempts",
    "Attempts to deliver a webhook, by the state in which they left it.",
    ["state"],
    registry=WEBHOOKS,
)
API.register(WEBHOOK_ATTEMPTS)  # on SQLite the API sends them

# Every process: its release, and what the system knows of it (CPU, memory, open files).
BUILD_INFO: Final = {
    process: Gauge(
        "tonalog_build_info", "1, with the release of this process.", ["version", "process"], registry=registry
    )
    for process, registry in REGISTRIES.items()
}
for _registry in REGISTRIES.values():
    ProcessCollector(registry=_registry)

# The whole database, told by the scheduler: where two of them run both tell the same, so take `max`, not `sum`.
# Batches and drift have no reader in this process yet unless `scheduler.figures` has one.
DATABASE: Final = DatabaseCollector(
    Declared("tonalog_jobs", "Jobs.", ("lane", "state")),
    Declared("tonalog_queue_jobs", "Jobs that are due or in the queue, and not at work.", ("lane",)),
    Declared(
        "tonalog_queue_age_seconds", "How long the oldest of them has been due; 0 where there is none.", ("lane",)
    ),
    Declared("tonalog_broker_messages", "Messages that wait in the broker.", ("lane",)),
    Declared("tonalog_dead_jobs", "Jobs that ended without a result, by reason.", ("reason",)),
    Declared("tonalog_recordings", "Object versions that are registered.", ("state",)),
    Declared("tonalog_results", "Results of the models of this database.", ("model", "status")),
    Declared("tonalog_results_audio_seconds", "Length of the recordings of these results.", ("model", "status")),
    Declared("tonalog_model_info", "1 for each registered model.", ("model", "state")),
    Declared("tonalog_erasures_pending", "Erasures that were begun and are not finished."),
    Declared("tonalog_erasure_objects_pending", "Objects that erasures have still to remove from storage."),
    Declared("tonalog_people_marked", "People whose days and trends wait to be made anew."),
    Declared("tonalog_scan_timestamp_seconds", "When a scan last came to its end, as seconds since 1970."),
    Declared("tonalog_nightly_done_timestamp_seconds", "When a nightly run was last finished, as seconds since 1970."),
    Declared("tonalog_batch_recordings", "Recordings of the batches that are not finished.", ("batch", "state")),
    Declared("tonalog_batch_audio_seconds", "Length of these recordings.", ("batch", "state")),
    Declared("tonalog_drift", "How far scores have moved from the reference period.", ("model", "measure")),
    Declared("tonalog_drift_limit", "Beyond this they have moved more than chance explains.", ("model", "measure")),
    Declared(
        "tonalog_figures_read_timestamp_seconds", "When these figures were read, as seconds since 1970.", ("part",)
    ),
)
SCHEDULER.register(DATABASE)
