"""Check every link of the chain by using it, then the system as a whole by what the database knows; repairs nothing."""

from __future__ import annotations

import importlib
import threading
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from config.broker_tls import is_tls
from config.queues import prepare_folders
from config.settings import Settings
from tonalog.broker_words import explain
from tonalog.errors import TonalogError

_RECORDING_RATE_HZ = 8_000
_RECORDING_MS = 1_000
DEADLINE_S = 6.0
_CONNECT_S = 5
_OWN = ("bundle", "processor")
"""What asks no server."""


@dataclass(frozen=True)
class Finding:
    """What one check found; `text` says what to do when it is not well. A check that was skipped found nothing."""

    name: str
    is_well: bool
    text: str
    is_skipped: bool = False


def examine(settings: Settings, *, links_only: bool = False) -> Iterator[Finding]:
    """Yield one finding a link (bundle, processor, database, model, broker, storage), then what is wrong with the whole.

    Database, broker and storage are asked at the same time, and one that does not answer is given up after 6 seconds. What
    takes this process's own time comes before, so that a busy machine is not taken for a silent server.

    Args:
        settings: of the installation.
        links_only: leave out the whole: whoever asks whether this process can work does not ask who else does.
    """
    for name in _OWN:
        yield examine_one(settings, name)
    _load_clients(settings)
    asked = {name: _Answer(settings, name) for name in _checks() if name not in _OWN}
    end_s = time.monotonic() + DEADLINE_S
    findings = {name: answer.wait(end_s - time.monotonic()) for name, answer in asked.items()}
    yield from findings.values()
    if findings["database"].is_well and not links_only:
        yield from _look_at_whole(settings, is_storage_well=findings["storage"].is_well)


def _load_clients(settings: Settings) -> None:
    """Import what the checks need: it takes longer on a busy machine than any server to answer.

    Nor may their threads import it: two that import modules of one circle at once can each meet the other's half made.
    """
    is_s3 = (settings.storage_url or "").startswith("s3:")
    queue = "config.file_queue" if settings.is_embedded_broker else "config.redis_queue"
    for name in ("tonalog.session", "config.celery_base", queue, "storage.open", *(["storage.s3"] if is_s3 else [])):
        importlib.import_module(name)


class _Answer:
    """One link's check in a thread of its own; a thread that never ends does not hold up the process."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._name = name
        self._finding: Finding | None = None
        self._thread = threading.Thread(target=self._ask, args=(settings,), name=name, daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float) -> Finding:
        self._thread.join(max(timeout_s, 0.0))
        silent = f"no answer within {DEADLINE_S:.0f} s: see that the server runs and does not stand still"
        return self._finding or Finding(self._name, is_well=False, text=silent)

    def _ask(self, settings: Settings) -> None:
        self._finding = examine_one(settings, self._name)


def _look_at_whole(settings: Settings, *, is_storage_well: bool) -> Iterator[Finding]:
    from db.engine import make_engine  # noqa: PLC0415
    from db.errors import RightMissing  # noqa: PLC0415
    from scheduler.probes import look_at_ledger, probe_clock_of_storage  # noqa: PLC0415
    from scheduler.troubles import list_live  # noqa: PLC0415

    engine = make_engine(settings.database, connect_timeout_s=_CONNECT_S)
    try:
        look = look_at_ledger(engine, settings)
    except RightMissing:
        text = "not looked at: this database role may not, the scheduler's may"
        yield Finding("system", is_well=True, text=text, is_skipped=True)
        return
    troubles = [*look.troubles, *(probe_clock_of_storage(settings) if is_storage_well else [])]
    for trouble in troubles:
        yield Finding(trouble.kind.value, is_well=False, text=trouble.sentence)
    if not troubles:
        n_live = len(list_live(look.health, look.limits))
        yield Finding("system", is_well=True, text=f"live workers: {n_live}; nothing waits for too long")


def examine_one(settings: Settings, name: str) -> Finding:
    """Check one link by its name, such as `broker`."""
    try:
        return Finding(name, is_well=True, text=_checks()[name](settings))
    except Exception as error:  # noqa: BLE001 - a doctor reports every illness
        return Finding(name, is_well=False, text=_words(name, error, settings))


def _checks() -> dict[str, Callable[[Settings], str]]:
    own = {"bundle": _bundle, "processor": _processor}
    return {**own, "database": _database, "model": _model, "broker": _broker, "storage": _storage}


def _words(name: str, error: Exception, settings: Settings) -> str:
    if name == "broker":
        return explain(error, settings.broker)
    return " ".join(str(error).split()) or type(error).__name__


def _bundle(settings: Settings) -> str:
    """Load the bundle, score one second of silence, and take a recording through the whole pipeline."""
    import numpy as np  # noqa: PLC0415

    from tonalog.bundles import default_bundle  # noqa: PLC0415
    from worker.limits import limits_of  # noqa: PLC0415
    from worker.scoring.bundle import load_bundle  # noqa: PLC0415
    from worker.scoring.pipeline import score_recording  # noqa: PLC0415
    from worker.scoring.scorer import Scorer  # noqa: PLC0415

    folder = default_bundle(settings)
    bundle = load_bundle(folder)
    scorer = Scorer(bundle)
    scored = scorer.score(np.zeros(bundle.manifest.sampling_rate_hz, dtype=np.float32))
    note = score_recording(_make_recording(), scorer, limits=limits_of(settings))
    if note.duration_ms != _RECORDING_MS:
        raise TonalogError(f"a recording of {_RECORDING_MS} ms was decoded as one of {note.duration_ms} ms")
    return (
        f"{bundle.manifest.name}-{bundle.manifest.version} gives {len(scored.scores)} scores; "
        f"a recording of {_RECORDING_RATE_HZ} Hz is decoded and resampled"
    )


def _processor(settings: Settings) -> str:
    """Say what int8 is multiplied with here; a bundle whose sums overflow on this processor is a fault."""
    from tonalog.bundles import default_bundle  # noqa: PLC0415
    from worker.scoring.bundle import BundleError, load_bundle  # noqa: PLC0415
    from worker.scoring.processor import SAFE_WEIGHT, describe_processor, find_overflow, find_processor  # noqa: PLC0415

    processor = find_processor()
    try:
        bundle = load_bundle(default_bundle(settings))
    except (BundleError, TonalogError):
        return describe_processor(processor)  # what is wrong with the bundle is a finding of its own
    largest = find_overflow(processor, bundle.model_bytes)
    if largest is not None:
        raise TonalogError(
            f"{processor.name}, {processor.products}, adds two products in 16 bits, and int8 weights of "
            f"{bundle.manifest.name}-{bundle.manifest.version} go up to {largest}, allowed here are {SAFE_WEIGHT}: its scores "
            "can be wrong. Use a processor with VNNI, or write the bundle with weights of 7 bits, as `tonalog bundle` does"
        )
    return describe_processor(processor)


def _make_recording() -> BytesIO:
    """Return a WAV file that has to be resampled: a hum of 200 Hz."""
    file = BytesIO()
    with wave.open(file, "wb") as sink:
        sink.setnchannels(1)
        sink.setsampwidth(2)
        sink.setframerate(_RECORDING_RATE_HZ)
        period = 20 * b"\x00\x20" + 20 * b"\x00\xe0"
        sink.writeframes(period * (_RECORDING_RATE_HZ * _RECORDING_MS // 1000 // 40))
    file.seek(0)
    return file


def _database(settings: Settings) -> str:
    from db import migrate  # noqa: PLC0415
    from db.engine import make_engine, verify  # noqa: PLC0415

    prepare_folders(settings)
    engine = make_engine(settings.database, connect_timeout_s=_CONNECT_S)
    server = verify(engine)
    migrate.require_current(engine)
    return f"{server}, schema {migrate.current(engine)}"


def _model(settings: Settings) -> str:
    from db.engine import make_engine  # noqa: PLC0415
    from tonalog.session import need_active_model  # noqa: PLC0415

    prepare_folders(settings)
    model = need_active_model(make_engine(settings.database, connect_timeout_s=_CONNECT_S))
    return f"{model.name}-{model.version} is active"


def _broker(settings: Settings) -> str:
    """Send a message to a queue of its own and take it back."""
    from config.celery_base import make_celery  # noqa: PLC0415 - loads Celery

    prepare_folders(settings)
    app = make_celery("tonalog.doctor", settings)
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0.2, timeout=5)
        queue: Any = connection.SimpleQueue("doctor", no_ack=True)
        queue.put({"doctor": 1}, serializer="json", expiration=30)
        queue.get(timeout=10)
        queue.close()
    if settings.is_embedded_broker:
        return "the file queue in the home folder"
    return f"{connection.transport_cls} answers{' over TLS' if is_tls(settings.broker) else ''}"


def _storage(settings: Settings) -> str:
    from storage.open import open_place  # noqa: PLC0415

    if settings.storage_url is None:
        return "TONALOG_STORAGE_URL is not set; `tonalog run PATH` needs none"
    store, prefix = open_place(settings, settings.storage_url)
    store.verify()
    first = next(store.list_objects(prefix), [])
    return f"{settings.storage_url} can be listed and read ({'has recordings' if first else 'is empty'})"
