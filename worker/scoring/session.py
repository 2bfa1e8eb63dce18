"""Build the ONNX session of a bundle and hold its inputs and outputs against the manifest; never runs it."""

from __future__ import annotations

from worker.scoring.bundle import Bundle, BundleError
from worker.scoring.fusion import fuse
from worker.scoring.graph import check_graph
from worker.scoring.onnx_runtime import ort

INPUT = "waveform"
NOWHERE = "/dev/null/tonalog-reads-no-external-data"
"""Below a file there is no folder, so that onnxruntime finds nothing there, whatever a tensor asks for."""


def build_session(bundle: Bundle, threads: int) -> ort.InferenceSession:
    """Build a session of the bytes that were checked, fused where that changes no score, with the same result on every run.

    Args:
        bundle: checked by `load_bundle`.
        threads: for one run, 1 or more.

    Raises:
        BundleError: the graph cannot be built, or reaches outside its bytes.
        ValueError: threads are under 1.
    """
    if threads < 1:
        raise ValueError(f"threads is {threads}, allowed are 1 and more")
    options = ort.SessionOptions()
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = threads
    options.use_deterministic_compute = True
    options.enable_mem_pattern = False  # it keeps a plan of memory for each of a hundred shapes, and saves no time
    options.log_severity_level = 4  # errors are raised; a log would quote names of the graph to a terminal
    # Threads that spin while they wait cost the neighbours up to two thirds of their speed (November 2026).
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # Two walls: the graph is looked through, and what onnxruntime might read all the same would not be there.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", NOWHERE)
    options.add_session_config_entry("session.load_model_format", "ONNX")  # not guessed from the bytes
    check_graph(bundle.model_bytes)
    try:
        session = ort.InferenceSession(fuse(bundle.model_bytes), options, providers=["CPUExecutionProvider"])
    except list_errors() as error:
        raise BundleError(
            f"the graph of {bundle.manifest.name} {bundle.manifest.version} is refused: {error}"
        ) from error
    # It is kept for a second try with other providers, and there are none: 12 MB a process with the shipped model.
    session._model_bytes = None  # noqa: SLF001 - onnxruntime calls keeping it bad itself, and has no way to ask
    return session


def check_signature(session: ort.InferenceSession, outputs: list[str]) -> None:
    """Hold a graph against what its manifest promises.

    Args:
        session: of the graph.
        outputs: names that the manifest needs, each of float32.

    Raises:
        BundleError: the graph has another input, or lacks an output.
    """
    inputs = {one.name: (one.type, len(one.shape)) for one in session.get_inputs()}
    if inputs != {INPUT: ("tensor(float)", 2)}:
        raise BundleError(f"the graph's inputs are {inputs}, allowed is {INPUT}: tensor(float) of 2 dimensions")
    held = {one.name: one.type for one in session.get_outputs()}
    for name in outputs:
        if held.get(name) != "tensor(float)":
            raise BundleError(f"the graph's outputs are {held}, the manifest needs {name}: tensor(float)")


def list_errors() -> tuple[type[Exception], ...]:
    """List what onnxruntime raises: a dozen classes that share no base but Exception, and three of Python's.

    Every Exception would be too many: the pool's signal to stop is one as well, and no fault of a graph.
    """
    state = ort.capi.onnxruntime_pybind11_state
    own = [one for one in vars(state).values() if isinstance(one, type) and issubclass(one, Exception)]
    return (MemoryError, RuntimeError, ValueError, *own)
