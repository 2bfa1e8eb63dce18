"""Score one window with a bundle's graph; never sees more than one window at a time.

One window a run, of one of a few shapes: on one thread larger batches gain nothing (measured November 2026), memory
stays flat, and a score cannot depend on what else was scored. The graph masks trailing zeros, so how many there are
changes no score: a window of 3 s is run at 4 s in half the time of 8 s, with the same score to the bit for a graph of
static scales (0.0 over 40 clips, 22 November 2026).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from worker.audio.frontend import prepare
from worker.scoring.bundle import Bundle, BundleError

INPUT, OUTPUT = "waveform", "probabilities"
MAX_SUM_ERROR = 1e-3
"""float32 and int8 softmax miss 1 by far less; a graph without softmax by far more."""
PROBE_HZ = 200.0
NO_MEMORY = ("bad_alloc", "Failed to allocate memory", "bad allocation")
SHAPE_STEP_S = 2
"""Windows are padded to a multiple of this: four shapes for 8 s, 11 MB more in the session than one."""
MAX_PADDING_EFFECT = 1e-6
"""A graph whose scores move by more when zeros are added does not mask them, and always gets a whole window."""


class ScoringError(Exception):
    """The graph gave scores that are no probabilities."""


@dataclass(frozen=True)
class WindowScores:
    """What the graph says of one window.

    Attributes:
        scores: probabilities in the bundle's order of labels, summing to 1.
        speech_probability: that the window holds speech, None if the graph does not say.
    """

    scores: tuple[float, ...]
    speech_probability: float | None


class Scorer:
    """An ONNX session of one bundle. Build it in the process that uses it: sessions do not survive a fork.

    Attributes:
        bundle: that it was built from.
    """

    def __init__(self, bundle: Bundle, *, threads: int = 1) -> None:
        """Build the session and check the graph against the manifest, with one run on a tone.

        Args:
            bundle: checked by `load_bundle`.
            threads: for one window, 1 or more. One thread a process scales best (measured November 2026).

        Raises:
            BundleError: the graph cannot be built (external data is refused, since only the checked bytes are
                loaded) or does not have the inputs, outputs, shapes or labels that the manifest promises.
            ScoringError: the graph's scores are no probabilities.
        """
        self.bundle = bundle
        self._session = _build_session(bundle, threads)
        gate = bundle.manifest.speech_gate
        self._outputs = [OUTPUT] if gate is None else [OUTPUT, gate.output]
        _check_signature(self._session, self._outputs)
        self._step_samples = bundle.manifest.n_window_samples
        self._step_samples = self._find_step()

    def _find_step(self) -> int:
        """Find to what multiple windows are padded: a short one if the graph masks zeros, else a whole window.

        Running the tone is also the first proof that the graph gives probabilities.
        """
        manifest = self.bundle.manifest
        step = SHAPE_STEP_S * manifest.sampling_rate_hz
        tone = np.sin(2.0 * np.pi * PROBE_HZ / manifest.sampling_rate_hz * np.arange(step // 2)).astype(np.float32)
        whole = self.score(tone)
        shape = self._session.get_inputs()[0].shape
        if isinstance(shape[1], int) or manifest.n_window_samples % step:
            return self._step_samples
        self._step_samples = step
        short = self.score(tone)
        is_masked = np.allclose(short.scores, whole.scores, rtol=0.0, atol=MAX_PADDING_EFFECT)
        return step if is_masked else manifest.n_window_samples

    def score(self, signal: NDArray[np.float32]) -> WindowScores:
        """Score a window: front end of the manifest, exact zeros up to the next shape, one run.

        Args:
            signal: float32 (n_samples,), 16 kHz, in [-1, 1], at most a window long.

        Returns:
            Its scores; the same signal always gives the same.

        Raises:
            ScoringError: the scores are not finite, not in [0, 1] or do not sum to 1.
            BundleError: the graph gave another number of scores than there are labels.
            MemoryError: the graph found none to run in.
        """
        n_samples = self.bundle.manifest.n_window_samples
        if signal.ndim != 1 or len(signal) > n_samples:
            raise ValueError(f"the signal's shape is {signal.shape}, allowed is (n,) with n at most {n_samples}")
        prepared = prepare(signal, self.bundle.manifest.front_end)
        step = self._step_samples
        n_padded = max(1, -(-len(prepared) // step)) * step
        waveform = np.zeros((1, n_padded), dtype=np.float32)
        waveform[0, : len(prepared)] = prepared
        outputs = self._run(waveform)
        return WindowScores(self._check_scores(outputs[0]), _check_speech(outputs[1:]))

    def _run(self, waveform: NDArray[np.float32]) -> list[NDArray[Any]]:
        try:
            return [np.asarray(output) for output in self._session.run(self._outputs, {INPUT: waveform})]
        except Exception as error:
            if any(word in str(error) for word in NO_MEMORY):  # onnxruntime has no class for it
                raise MemoryError("onnxruntime found no memory to score a window") from error
            raise

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


def _build_session(bundle: Bundle, threads: int) -> ort.InferenceSession:
    if threads < 1:
        raise ValueError(f"threads is {threads}, allowed are 1 and more")
    options = ort.SessionOptions()
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = threads
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    # Threads that spin while they wait cost the neighbours up to two thirds of their speed (November 2026).
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(bundle.model_bytes, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a dozen classes that share no other base
        raise BundleError(
            f"the graph of {bundle.manifest.name} {bundle.manifest.version} is refused: {error}"
        ) from error


def _check_signature(session: ort.InferenceSession, outputs: list[str]) -> None:
    inputs = {one.name: (one.type, len(one.shape)) for one in session.get_inputs()}
    if inputs != {INPUT: ("tensor(float)", 2)}:
        raise BundleError(f"the graph's inputs are {inputs}, allowed is {INPUT}: tensor(float) of 2 dimensions")
    held = {one.name: one.type for one in session.get_outputs()}
    for name in outputs:
        if held.get(name) != "tensor(float)":
            raise BundleError(f"the graph's outputs are {held}, the manifest needs {name}: tensor(float)")


def _check_speech(outputs: list[NDArray[Any]]) -> float | None:
    if not outputs:
        return None
    if outputs[0].size != 1:
        raise BundleError(f"the speech output has shape {outputs[0].shape}, allowed is one value a window")
    probability = float(outputs[0].reshape(()))
    if not 0.0 <= probability <= 1.0:
        raise ScoringError(f"the speech probability is {probability}, allowed are 0 to 1")
    return probability
