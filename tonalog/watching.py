"""What a long-running process tells those who watch it, where settings say so: metrics at a port, traces."""

from __future__ import annotations

import os
from importlib import metadata
from typing import TYPE_CHECKING

from config.settings import Settings
from telemetry import traces
from tonalog.errors import TonalogError

if TYPE_CHECKING:
    from telemetry.server import MetricsServer


def serve_metrics(settings: Settings, process: str) -> MetricsServer | None:
    """Listen at `TONALOG_METRICS_HOST` and `TONALOG_METRICS_PORT`, and answer from now on; None where no port is set.

    Args:
        settings: of this process.
        process: worker, scheduler, api or webhooks.

    Raises:
        TonalogError: Nobody can listen there.
    """
    if settings.metrics_port is None:
        return None
    from telemetry import metrics  # noqa: PLC0415 - loads a web server
    from telemetry.server import AddressTaken, MetricsServer  # noqa: PLC0415

    try:
        server = MetricsServer(metrics.REGISTRIES[process], host=settings.metrics_host, port=settings.metrics_port)
    except AddressTaken as error:
        raise TonalogError(
            f"TONALOG_METRICS_PORT: {error}: give each process of a machine a port of its own."
        ) from None
    metrics.BUILD_INFO[process].labels(metadata.version("tonalog"), process).set(1)
    os.register_at_fork(
        after_in_child=server.stop_listening
    )  # a pool process must not keep the port of a worker that is gone
    server.start()
    return server


def require_traces(settings: Settings) -> None:
    """Make sure that traces can be made where they are asked for.

    Raises:
        TonalogError: The extra `traces` is not installed.
    """
    if settings.traces_url is not None and not traces.is_installed():
        raise TonalogError("TONALOG_TRACES_URL needs an extra: pip install 'tonalog[traces]'.")
