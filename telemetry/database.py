"""Gauges of the whole database, from the last figures that a process was given; reads no database itself."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

Samples = Mapping[str, Sequence[tuple[tuple[str, ...], float]]]
"""The name of a metric to its values, each with the values of its labels."""


@dataclass(frozen=True)
class Declared:
    """A gauge: what it is called, what it tells, and its labels in order."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


class DatabaseCollector(Collector):
    """Tells each part of the figures as it was last given, and nothing of a part that could not be read.

    >>> collector = DatabaseCollector(Declared("waiting", "Jobs that wait.", ("lane",)))
    >>> collector.replace("queue", {"waiting": [(("bulk",), 3.0)]})
    >>> [sample.value for family in collector.collect() for sample in family.samples]
    [3.0]
    >>> collector.forget("queue")
    >>> list(collector.collect())
    []
    """

    def __init__(self, *declared: Declared) -> None:
        """Take the declarations of all gauges.

        Args:
            declared: each with a name of its own.
        """
        self._declared = {item.name: item for item in declared}
        self._parts: dict[str, Samples] = {}
        self._lock = threading.Lock()

    def replace(self, part: str, samples: Samples) -> None:
        """Tell these values from now on, in place of what the part told before.

        Raises:
            LookupError: A name is not declared.
            ValueError: A value has more or fewer labels than its declaration.
        """
        for name, values in samples.items():
            if name not in self._declared:
                raise LookupError(f"{name} is no declared metric; declare it in telemetry/metrics.py")
            wanted = len(self._declared[name].labels)
            if any(len(labels) != wanted for labels, _ in values):
                raise ValueError(f"{name} has {wanted} labels: {self._declared[name].labels}")
        with self._lock:
            self._parts = {**self._parts, part: samples}

    def forget(self, part: str) -> None:
        """Tell nothing of a part any more: old figures would pass for new ones."""
        with self._lock:
            self._parts = {name: samples for name, samples in self._parts.items() if name != part}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges that have values."""
        parts = self._parts
        for declared in self._declared.values():
            values = [value for samples in parts.values() for value in samples.get(declared.name, ())]
            if values:
                yield _as_family(declared, values)

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Yield all gauges, without values."""
        return (_as_family(declared, ()) for declared in self._declared.values())


def _as_family(declared: Declared, values: Iterable[tuple[tuple[str, ...], float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(declared.name, declared.help, labels=declared.labels)
    for labels, value in values:
        family.add_metric(labels, value)
    return family
