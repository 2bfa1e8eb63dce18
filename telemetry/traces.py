"""Traces of jobs, sent by OTLP where an address is set (extra `traces`); where none is, nothing is imported and nothing made.

Messages carry a job's id and nothing else, so that no trace context travels in them. Each process computes the trace of a job from
its id: what the scheduler tells of enqueueing and the worker of its attempts is one trace. Attributes are ids, words of
ours and times; of an error its type alone, since its text may hold anything.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import metadata
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

Value = str | int | float | bool
_N_BYTES: Final = 16
_EXPORT_S: Final = 10
_trace_id: ContextVar[int | None] = ContextVar("trace_id", default=None)
_span: ContextVar[Span | None] = ContextVar("span", default=None)
_providers: list[tuple[TracerProvider, str]] = []


def is_installed() -> bool:
    """Say whether the extra `traces` is there."""
    try:
        found = importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http")
    except ModuleNotFoundError:
        return False
    return found is not None and importlib.util.find_spec("opentelemetry.sdk") is not None


def trace_id_of(namespace: str, job_id: int) -> int:
    """Compute the trace of a job.

    Args:
        namespace: tells the jobs of one database from those of another.
        job_id: the job.

    >>> trace_id_of("a", 7) == trace_id_of("a", 7) != trace_id_of("b", 7)
    True
    """
    return int.from_bytes(hashlib.sha256(f"tonalog:{namespace}:{job_id}".encode()).digest()[:_N_BYTES])


def namespace_of(database: str) -> str:
    """Return what tells a database from others.

    >>> namespace_of("postgresql://worker:secret@db:5432/tonalog?sslmode=require")
    'db:5432/tonalog'
    """
    parts = urlsplit(database)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"


def start(url: str, *, process: str, database: str, share: float = 1.0) -> None:
    """Make spans from now on and send them; to be called after a fork, since a thread sends them.

    Args:
        url: the OTLP/HTTP address of a collector, with its path.
        process: worker or scheduler.
        database: its URL or file; what tells it from others is taken of it, and not who logs in.
        share: of the jobs that are traced, 0 to 1; the same jobs in each process.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio  # noqa: PLC0415

    class _Ids(RandomIdGenerator):
        def generate_trace_id(self) -> int:
            return _trace_id.get() or super().generate_trace_id()

    provider = TracerProvider(
        resource=Resource.create(
            {"service.name": f"tonalog-{process}", "service.version": metadata.version("tonalog")}
        ),
        sampler=ParentBasedTraceIdRatio(share),
        id_generator=_Ids(),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=_EXPORT_S)))
    _providers[:] = [(provider, namespace_of(database))]


def stop() -> None:
    """Send what was made, and make no more."""
    for provider, _ in _providers:
        provider.shutdown()
    _providers.clear()


def flush() -> None:
    """Send what was made, in a process that ends without `stop`."""
    for provider, _ in _providers:
        provider.force_flush(_EXPORT_S * 1000)


@contextmanager
def span(name: str, *, job_id: int | None = None, **attributes: Value) -> Iterator[None]:
    """Tell of the block as a span, where this process makes any.

    Args:
        name: of the step.
        job_id: makes it a span of this job's trace; without, it is one within the present span, or a trace of its own.
        attributes: ids, words of ours, numbers.
    """
    if not _providers:
        yield
        return
    from opentelemetry import context, trace  # noqa: PLC0415 - an extra

    provider, namespace = _providers[0]
    tracer = provider.get_tracer("tonalog")
    above = _span.get() if job_id is None else None
    within = trace.set_span_in_context(above) if above is not None else context.Context()
    mark = _trace_id.set(None if job_id is None else trace_id_of(namespace, job_id))
    made = tracer.start_span(name, within, attributes=attributes | ({} if job_id is None else {"job_id": job_id}))
    _trace_id.reset(mark)
    mark_of_span = _span.set(made)
    try:
        yield
    except BaseException as error:
        made.set_status(trace.Status(trace.StatusCode.ERROR, type(error).__name__))
        raise
    finally:
        _span.reset(mark_of_span)
        made.end()


def note(**attributes: Value) -> None:
    """Add to the present span, if there is one."""
    made = _span.get()
    if made is not None:
        made.set_attributes(attributes)
