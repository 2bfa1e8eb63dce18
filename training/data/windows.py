"""Training windows of utterances: read, front end, augmentation, batches with exact zeros at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.sounds.paper_augment import Augmentation, apply_augmentation
from training.sounds.voice import Cut, reduce_signal
from worker.audio.frontend import FrontEnd, prepare

Signal = NDArray[np.float32]
SAMPLING_RATE_HZ = 16_000
# The receptive field of HuBERT's first frames; shorter windows are padded to it.
MIN_BATCH_SAMPLES = 4000
CACHE_BYTES = 1_500_000_000


@dataclass(frozen=True)
class Preparation:
    """How a recording becomes a window. The defaults are the paper's (Ismail 2025, arXiv 2512.23435).

    Attributes:
        front_end: of each window, in training and in serving alike.
        is_vad_cut: whether training windows hold only what serving's voice activity detector leaves.
        max_duration_s: longer windows are truncated, over 0.
        augmentation: of training windows after the front end; None for none.
    """

    front_end: FrontEnd = FrontEnd(peak=0.95, pre_emphasis=0.97, trim_top_db=20.0)  # noqa: RUF009 - frozen
    is_vad_cut: bool = False
    max_duration_s: float = 8.0
    augmentation: Augmentation | None = Augmentation()  # noqa: RUF009 - frozen


class Labelled(Protocol):
    """What training needs of an utterance."""

    @property
    def path(self) -> Path:
        """The audio file."""
        ...

    @property
    def label(self) -> str:
        """The class it belongs to."""
        ...


@dataclass
class WindowStore:
    """Prepared windows by file, kept in memory up to a limit, so that folds share them.

    Attributes:
        preparation: front end, length and augmentation.
        read: from an audio file to its signal, float32 (n_samples,), 16 kHz.
    """

    preparation: Preparation
    read: Callable[[Path], Signal]
    _kept: dict[Path, Signal] = field(default_factory=dict, repr=False)
    _n_bytes: int = 0

    def take(self, path: Path) -> Signal:
        """Return a recording as serving would hear it, float32 (n_samples,), at most `max_duration_s` long."""
        if path in self._kept:
            return self._kept[path]
        window = self.cut(self.read(path))
        if self._n_bytes + window.nbytes <= CACHE_BYTES:
            self._kept[path] = window
            self._n_bytes += window.nbytes
        return window

    def cut(self, signal: Signal) -> Signal:
        """Return a signal as serving would hear it, float32 (n_samples,), at most `max_duration_s` long."""
        if self.preparation.is_vad_cut:
            signal = reduce_signal(signal, Cut.VAD)
        return prepare(signal, self.preparation.front_end)[: int(self.preparation.max_duration_s * SAMPLING_RATE_HZ)]


@dataclass(frozen=True)
class WindowSet:
    """The windows of some utterances.

    Attributes:
        utterances: one window each.
        labels: names of the classes, in the order of the logits.
        store: where windows come from.
    """

    utterances: Sequence[Labelled]
    labels: tuple[str, ...]
    store: WindowStore

    def __post_init__(self) -> None:
        """Refuse what cannot be learnt.

        Raises:
            ValueError: there is no utterance, or one has a label that is not among the labels.
        """
        if not self.utterances:
            raise ValueError("0 utterances, allowed are 1 and more")
        if unknown := sorted({item.label for item in self.utterances} - set(self.labels)):
            raise ValueError(f"labels {unknown} are unknown, allowed are {list(self.labels)}")

    def __len__(self) -> int:
        return len(self.utterances)

    @property
    def target(self) -> NDArray[np.int64]:
        """The index of each utterance's label, int64 (n,)."""
        return np.array([self.labels.index(item.label) for item in self.utterances], dtype=np.int64)

    def take_window(self, index: int) -> Signal:
        """Return an utterance's window, float32 (n_samples,)."""
        return self.store.take(self.utterances[index].path)

    def spread_rows(self, n_rows: int) -> list[int]:
        """Return so many rows at most, spread evenly over the set."""
        return [int(row) for row in np.unique(np.linspace(0, len(self) - 1, min(n_rows, len(self))).astype(int))]

    def make_batch(
        self, rows: NDArray[np.int64], *, seed: tuple[int, int] | None = None
    ) -> tuple[Signal, NDArray[np.int64]]:
        """Return waveforms padded with exact zeros to the longest, and their labels.

        Args:
            rows: int64, which utterances.
            seed: of the augmentation, (run, epoch); each utterance draws from its own, so that order does not matter.
                None leaves the windows as they are.

        Returns:
            float32 (batch, n_samples) and int64 (batch,).
        """
        windows = [self._augment(int(row), seed) for row in rows]
        batch = np.zeros((len(rows), max(MIN_BATCH_SAMPLES, *map(len, windows))), dtype=np.float32)
        for line, window in zip(batch, windows, strict=True):
            line[: len(window)] = window
        return batch, self.target[rows]

    def _augment(self, row: int, seed: tuple[int, int] | None) -> Signal:
        window = self.take_window(row)
        if seed is None or self.store.preparation.augmentation is None:
            return window
        return apply_augmentation(window, self.store.preparation.augmentation, np.random.default_rng([*seed, row]))
