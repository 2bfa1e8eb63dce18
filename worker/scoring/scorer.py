"""Score one window with a bundle's graph; never sees more than one window at a time.

One window a run: on one thread larger batches gain nothing, memory stays flat, and a score cannot depend on what else was
scored. The graph masks trailing zeros, so how many there are changes no score, and a short window is run short: in steps
of 80 ms, since the time that it takes grows with its length.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.audio.frontend import prepare
from worker.scoring.bundle import Bundle, BundleError
from worker.scoring.manifest import Dimension
from worker.scoring.run_limit import RUN_LIMIT_S, RunLimit
from worker.scoring.session import INPUT, build_session, check_signature, list_errors

OUTPUT = "probabilities"
MAX_SUM_ERROR = 1e-3
"""float32 and int8 softmax miss 1 by far less; a graph without softmax by far more."""
MAX_OUTSIDE = 1e-3
"""A dimension may miss its range by so much, as probabilities may miss 1, and is then put at the range's end."""
PROBE_HZ = 200.0
NO_MEMORY = ("bad_alloc", "Failed to allocate memory", "bad allocation")
SHAPE_STEP_MS = 80
"""Windows are padded to a multiple of this.

Four frames of the shipped graph's last layers: sums over a multiple of four frames come out the same to the bit, where 40 ms
moved a score by 2e-7.
"""
SHORTEST_SHAPE_MS = 960
"""A graph may need some frames to be defined at all, and what is shorter costs a few ms."""
PROBED_STEPS = (0, 1, 3)
"""Shapes that are tried beyond the shortest: a graph whose frames do not fit into a step shows it in one of them."""
MAX_PADDING_EFFECT = 1e-6
"""A graph whose scores move by more when zeros are added does not mask them, and always gets a whole window."""


class ScoringError(Exception):
    """The graph gave scores that are no probabilities, or a dimension outside its range."""


@dataclass(frozen=True)
class WindowScores:
    """The outputs of the graph for one window.

    Attributes:
        scores: probabilities in the bundle's order of labels, summing to 1.
        speech_probability: that the window holds speech, None if the graph does not say.
        dimensions: name to value, in the range that the manifest gives; empty if the graph has none.
    """

    scores: tuple[float, ...]
    speech_probability: float | None
    dimensions: Mapping[str, float]


class Scorer:
    """An ONNX session of one bundle. Build it in the process that uses it: sessions do not survive a fork.

    Attributes:
        bundle: that it was built from, without the bytes of its model: the session has taken what it needs of them.
    """

    def __init__(self, bundle: Bundle, *, threads: int = 1, run_limit_s: float = RUN_LIMIT_S) -> None:
        """Build the session and check the graph against the manifest, with one run on a tone.

        Args:
            bundle: checked by `load_bundle`.
            threads: for one window, 1 or more. One thread a process scales best (measured November 2026).
            run_limit_s: processor time that one window may take.

        Raises:
            BundleError: the graph cannot be built, reaches outside its bytes, cannot be run, or does not have the
                inputs, outputs, shapes or labels that the manifest promises.
            ScoringError: the graph's scores are no probabilities, or a dimension is outside its range.
        """
        self.bundle = replace(bundle, model_bytes=b"")
        self._session = build_session(bundle, threads)
        self._limit = RunLimit(run_limit_s)
        weakref.finalize(self, self._limit.close)
        gate, dimensions = bundle.manifest.speech_gate, bundle.manifest.dimensions
        more = [one.output for one in (gate, *dimensions.values()) if one is not None]
        self._outputs = list(dict.fromkeys((OUTPUT, *more)))
        check_signature(self._session, self._outputs)
        self._step_samples = self._find_step()

    def _find_step(self) -> int:
        """Find to what multiple windows are padded: a short one if the graph masks zeros, else a whole window.

        Running the tone is also the first proof that the graph gives probabilities.
        """
        manifest = self.bundle.manifest
        rate_hz, whole = manifest.sampling_rate_hz, manifest.n_window_samples
        step, shortest = (rate_hz * ms // 1000 for ms in (SHAPE_STEP_MS, SHORTEST_SHAPE_MS))
        n_tone = min(shortest - step // 2, whole)
        tone = prepare(
            np.sin(2.0 * np.pi * PROBE_HZ / rate_hz * np.arange(n_tone)).astype(np.float32), manifest.front_end
        )
        expected = self._score_padded(tone, whole)
        is_fixed = isinstance(self._session.get_inputs()[0].shape[1], int)
        shapes = [shortest + n_steps * step for n_steps in PROBED_STEPS]
        if is_fixed or max(shapes) > whole:
            return whole
        return step if all(_is_same(self._score_padded(tone, shape), expected) for shape in shapes) else whole

    def _find_shape(self, n_samples: int) -> int:
        """Return how long a window is run: its samples, up to a whole step and not under the shortest shape."""
        manifest = self.bundle.manifest
        shortest = manifest.sampling_rate_hz * SHORTEST_SHAPE_MS // 1000
        padded = -(-max(n_samples, shortest) // self._step_samples) * self._step_samples
        return min(padded, manifest.n_window_samples)

    def score(self, signal: NDArray[np.float32]) -> WindowScores:
        """Score a window: front end of the manifest, exact zeros up to the next shape, one run.

        Args:
            signal: float32 (n_samples,), 16 kHz, in [-1, 1], at most a window long.

        Returns:
            Its scores; the same signal always gives the same.

        Raises:
            ScoringError: the scores are not finite, not in [0, 1] or do not sum to 1, or a dimension is outside its
                range.
            BundleError: the graph took too long, found no memory or failed; or it gave another number of scores than
                there are labels, or several values where one is promised.
        """
        n_samples = self.bundle.manifest.n_window_samples
        if signal.ndim != 1 or len(signal) > n_samples:
            raise ValueError(f"the signal's shape is {signal.shape}, allowed is (n,) with n at most {n_samples}")
        prepared = prepare(signal, self.bundle.manifest.front_end)
        return self._score_padded(prepared, self._find_shape(len(prepared)))

    def _score_padded(self, prepared: NDArray[np.float32], n_padded: int) -> WindowScores:
        waveform = np.zeros((1, n_padded), dtype=np.float32)
        waveform[0, : len(prepared)] = prepared
        found = self._run(waveform)
        gate, dimensions = self.bundle.manifest.speech_gate, self.bundle.manifest.dimensions
        return WindowScores(
            self._check_scores(found[OUTPUT]),
            None if gate is None else _check_speech(found[gate.output]),
            {name: _check_dimension(name, one, found[one.output]) for name, one in dimensions.items()},
        )

    def _run(self, waveform: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        try:
            with self._limit.hold() as options:
                given = self._session.run(self._outputs, {INPUT: waveform}, options)
        except list_errors() as error:
            raise BundleError(f"the graph {self._describe_end(error)}") from error
        return {name: np.asarray(output) for name, output in zip(self._outputs, given, strict=True)}

    def _describe_end(self, error: Exception) -> str:
        if self._limit.is_over:
            return f"took more than {self._limit.limit_s:g} s of processor time for one window"
        if isinstance(error, MemoryError) or any(word in str(error) for word in NO_MEMORY):
            return "found no memory to score a window"
        return f"failed to score a window: {error}"

    def _check_scores(self, output: NDArray[Any]) -> tuple[float, ...]:
        labels = self.bundle.manifest.labels
        if output.shape != (1, len(labels)):
            raise BundleError(f"{OUTPUT} has shape {output.shape}, allowed is {(1, len(labels))} for {list(labels)}")
        scores = [float(score) for score in output[0]]
        total = sum(scores)
        is_valid = all(0.0 <= score <= 1.0 + MAX_SUM_ERROR for score in scores)  # false for NaN too
        if not is_valid or abs(total - 1.0) > MAX_SUM_ERROR:
            raise ScoringError(f"the scores are {scores} with sum {total}, allowed are 0 to 1 with sum 1")
        return tuple(score / total for score in scores)


def _is_same(first: WindowScores, second: WindowScores) -> bool:
    left, right = ([*one.scores, one.speech_probability or 0.0, *one.dimensions.values()] for one in (first, second))
    return np.allclose(left, right, rtol=0.0, atol=MAX_PADDING_EFFECT)


def _check_speech(output: NDArray[Any]) -> float:
    probability = _take_one("speech", output)
    if not 0.0 <= probability <= 1.0:
        raise ScoringError(f"the speech probability is {probability}, allowed are 0 to 1")
    return probability


def _check_dimension(name: str, promised: Dimension, output: NDArray[Any]) -> float:
    value = _take_one(name, output)
    if not promised.low - MAX_OUTSIDE <= value <= promised.high + MAX_OUTSIDE:  # false for NaN too
        raise ScoringError(f"{name} is {value}, allowed are {promised.low} to {promised.high}")
    return min(max(value, promised.low), promised.high)


def _take_one(name: str, output: NDArray[Any]) -> float:
    if output.size != 1:
        raise BundleError(f"the {name} output has shape {output.shape}, allowed is one value a window")
    return float(output.reshape(()))
