"""A bundle that nobody knows yet is run in a confined process, and whatever it does there is a reason in words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from config.settings import Settings
from db import models
from tests.unit.bundles import make_graph, write_bundle
from tonalog.commands.models import add
from tonalog.session import open_database
from worker.scoring.bundle import BundleError, load_bundle
from worker.scoring.scorer import ScoringError
from worker.scoring.trial import try_bundle
from worker.trial import require_runnable

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds what a process holds"),
]


def add_to_energy(*nodes: onnx.NodeProto, initializers: tuple[onnx.TensorProto, ...] = ()) -> onnx.ModelProto:
    """A tiny graph in which `extra`, of the given nodes, is added to what is scored."""
    model = make_graph()
    graph = model.graph
    at = next(index for index, node in enumerate(graph.node) if node.op_type == "MatMul")
    rest = list(graph.node)[at:]
    del graph.node[at:]
    rest[0].input[0] = "with_extra"
    graph.node.extend([*nodes, helper.make_node("Add", ["energy", "extra"], ["with_extra"]), *rest])
    graph.initializer.extend(initializers)
    return model


def make_endless() -> onnx.ModelProto:
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["keep_in"], ["keep_out"]),
            helper.make_node("Sin", ["carried"], ["carried_out"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("n", TensorProto.INT64, []),
            helper.make_tensor_value_info("keep_in", TensorProto.BOOL, []),
            helper.make_tensor_value_info("carried", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("keep_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("carried_out", TensorProto.FLOAT, None),
        ],
    )
    return add_to_energy(
        helper.make_node("Loop", ["trips", "keep", "energy"], ["extra"], body=body),
        initializers=(
            numpy_helper.from_array(np.asarray(1 << 62, dtype=np.int64), "trips"),
            numpy_helper.from_array(np.asarray([True]).reshape(()), "keep"),
        ),
    )


def make_busy_while_built() -> onnx.ModelProto:
    """One operator that takes minutes and depends on no input: onnxruntime runs it while it builds the session."""
    n_boxes = 200_000
    shapes = {"boxes_shape": [1, n_boxes, 4], "scores_shape": [1, 1, n_boxes], "most": [n_boxes]}
    return add_to_energy(
        helper.make_node("Expand", ["unit", "boxes_shape"], ["boxes"]),
        helper.make_node("Expand", ["unit", "scores_shape"], ["box_scores"]),
        helper.make_node("NonMaxSuppression", ["boxes", "box_scores", "most"], ["chosen"]),
        helper.make_node("ReduceMax", ["chosen"], ["last"], keepdims=0),
        helper.make_node("Cast", ["last"], ["extra"], to=TensorProto.FLOAT),
        initializers=(
            numpy_helper.from_array(np.asarray(1, dtype=np.float32), "unit"),
            *(numpy_helper.from_array(np.asarray(sizes, dtype=np.int64), name) for name, sizes in shapes.items()),
        ),
    )


def make_giant() -> onnx.ModelProto:
    """It takes 100 GB; their size comes from the signal, so that nothing is known of it before it runs."""
    return add_to_energy(
        helper.make_node("Shape", ["waveform"], ["shape"]),
        helper.make_node("Mul", ["shape", "factor"], ["huge"]),
        helper.make_node("ConstantOfShape", ["huge"], ["zeros"]),
        helper.make_node("ReduceMax", ["zeros"], ["extra"], keepdims=0),
        initializers=(numpy_helper.from_array(np.asarray([1, 400_000], dtype=np.int64), "factor"),),
    )


def make_crash() -> onnx.ModelProto:
    """The least whole number by -1 has no answer: the processor ends the process with SIGFPE."""
    return add_to_energy(
        helper.make_node("ReduceMax", ["energy"], ["loudest"], keepdims=0),
        helper.make_node("Cast", ["loudest"], ["whole"], to=TensorProto.INT64),  # 0 at peak 0.95
        helper.make_node("Sub", ["whole", "one"], ["divisor"]),
        helper.make_node("Div", ["least", "divisor"], ["quotient"]),
        helper.make_node("Cast", ["quotient"], ["extra"], to=TensorProto.FLOAT),
        initializers=(
            numpy_helper.from_array(np.asarray(1, dtype=np.int64), "one"),
            numpy_helper.from_array(np.asarray(-(2**63), dtype=np.int64), "least"),
        ),
    )


def make_random() -> onnx.ModelProto:
    return add_to_energy(helper.make_node("RandomUniform", [], ["extra"], shape=[1, 1], low=0.0, high=1.0))


def make_nan_of_silence() -> onnx.ModelProto:
    return add_to_energy(
        helper.make_node("Log", ["energy"], ["log"]), helper.make_node("Mul", ["log", "energy"], ["extra"])
    )


def test_a_sound_bundle_is_registered_and_its_hash_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path / "home"))
    bundle = load_bundle(write_bundle(tmp_path / "tiny"))

    result = CliRunner().invoke(add, [str(tmp_path / "tiny")], catch_exceptions=False)

    assert f"Registered tiny-0.0.1 ({bundle.sha256[:12]})" in result.output
    (model,) = models.list_models(open_database(Settings.read()))
    assert model.bundle_sha256 == bundle.sha256


HOSTILE = [
    (make_endless, 4, "the graph took more than 4 s for a few windows, allowed are 4 s"),
    (make_busy_while_built, 4, "the graph took more than 4 s"),
    (make_giant, 60, "the graph found no memory .*tried with 512 MiB"),
    (make_crash, 60, "the graph ended its process with SIGFPE"),
    (make_random, 60, "the graph gives .* and then .*, allowed is always the same"),
    (make_nan_of_silence, 60, "of silence: the scores are .nan"),
    (lambda: make_graph(constant=[float("nan")] * 4), 60, "the scores are .nan"),
]


@pytest.mark.parametrize(
    ("make", "time_s", "message"),
    HOSTILE,
    ids=["endless", "busy while built", "giant", "crash", "random", "NaN of silence", "NaN"],
)
def test_a_hostile_graph_is_refused_in_words(tmp_path: Path, make, time_s: int, message: str) -> None:  # type: ignore[no-untyped-def]
    bundle = load_bundle(write_bundle(tmp_path, make()))
    started_s = time.monotonic()

    with pytest.raises(BundleError, match=message) as refused:
        require_runnable(bundle.folder, bundle.sha256, memory_mib=512, time_s=time_s)

    assert time.monotonic() - started_s < time_s + 30
    assert str(refused.value).isprintable()


def test_models_add_registers_nothing_that_was_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path / "home"))

    result = CliRunner().invoke(add, [str(write_bundle(tmp_path / "tiny", make_nan_of_silence()))])

    assert isinstance(result.exception, BundleError)
    assert models.list_models(open_database(Settings.read())) == []


@pytest.mark.parametrize(
    ("number", "message"),
    [(signal.SIGSEGV, "SIGSEGV"), (signal.SIGKILL, "SIGKILL"), (signal.SIGXCPU, "more than 60 s")],
)
def test_a_process_that_is_killed_is_a_refusal(tmp_path: Path, number: signal.Signals, message: str) -> None:
    bundle = load_bundle(write_bundle(tmp_path, make_endless()))
    killer = threading.Thread(target=lambda: os.kill(find_busy_child(), number))
    killer.start()

    with pytest.raises(BundleError, match=message):
        require_runnable(bundle.folder, bundle.sha256, memory_mib=512, time_s=60)
    killer.join()


def test_the_trial_ends_with_its_parent(tmp_path: Path) -> None:
    bundle = load_bundle(write_bundle(tmp_path, make_endless()))
    code = (
        "import sys; from pathlib import Path; from worker.trial import require_runnable; "
        "require_runnable(Path(sys.argv[1]), sys.argv[2], memory_mib=512, time_s=60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(bundle.folder), bundle.sha256])
    child = find_busy_child(parent.pid)

    parent.kill()
    parent.wait()

    wait_until(lambda: not is_alive(child))


def test_ctrl_c_ends_the_trial_at_once(tmp_path: Path) -> None:
    bundle = load_bundle(write_bundle(tmp_path, make_endless()))
    found: list[int] = []

    def interrupt() -> None:
        found.append(find_busy_child())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        require_runnable(bundle.folder, bundle.sha256, memory_mib=512, time_s=60)
    assert not is_alive(found[0])


def test_the_trial_gets_no_secrets_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONALOG_DATABASE_URL", "postgresql://tonalog:secret@db/tonalog")
    bundle = load_bundle(write_bundle(tmp_path, make_endless()))
    seen: list[str] = []
    limits: list[str] = []

    def look() -> None:
        process = Path("/proc") / str(find_busy_child())
        limits.extend((process / "limits").read_text(encoding="ascii").splitlines())
        seen.append((process / "environ").read_text(encoding="utf-8"))

    looker = threading.Thread(target=look)
    looker.start()
    with pytest.raises(BundleError, match="took more than 8 s"):
        require_runnable(bundle.folder, bundle.sha256, memory_mib=512, time_s=8)
    looker.join()
    assert len(seen) == 1
    assert "secret" not in seen[0]
    soft = {line[:26].strip(): line[26:].split()[0] for line in limits}
    assert (soft["Max file size"], soft["Max open files"], soft["Max core file size"]) == ("0", "64", "0")
    assert soft["Max cpu time"] == "8"
    assert 512 << 20 < int(soft["Max data size"]) < 4096 << 20


def test_a_bundle_that_was_changed_after_it_was_loaded_is_refused(tmp_path: Path) -> None:
    bundle = load_bundle(write_bundle(tmp_path))
    (tmp_path / "MODEL_CARD.md").write_text("# other", encoding="utf-8")

    with pytest.raises(BundleError, match="was changed while it was tried"):
        require_runnable(tmp_path, bundle.sha256, memory_mib=512)


def test_what_a_trial_refuses_names_the_signal(tmp_path: Path) -> None:
    try_bundle(load_bundle(write_bundle(tmp_path / "sound")))

    with pytest.raises(ScoringError, match="of silence"):
        try_bundle(load_bundle(write_bundle(tmp_path / "silence", make_nan_of_silence())))
    with pytest.raises(BundleError, match="always the same"):
        try_bundle(load_bundle(write_bundle(tmp_path / "random", make_random())))


def find_child(parent: int | None = None) -> int:
    """Wait for the process of the trial and return its id."""
    wanted = str(parent or os.getpid())
    found: list[int] = []

    def look() -> bool:
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                line, command = stat.read_text(encoding="utf-8"), stat.with_name("cmdline").read_text(encoding="utf-8")
            except OSError:
                continue
            if line.rpartition(")")[2].split()[1] == wanted and "worker.scoring.trial" in command:
                found.append(int(stat.parent.name))
        return bool(found)

    wait_until(look)
    return found[0]


def find_busy_child(parent: int | None = None) -> int:
    """Wait until the trial runs the graph: it is limited, and has had half a second of the processor since."""
    pid = find_child(parent)
    wait_until(lambda: "Max file size             0 " in Path(f"/proc/{pid}/limits").read_text(encoding="ascii"))
    before_s = read_processor_s(pid)
    wait_until(lambda: read_processor_s(pid) > before_s + 0.5)
    return pid


def read_processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(is_true, limit_s: float = 30.0) -> None:  # type: ignore[no-untyped-def]
    end_s = time.monotonic() + limit_s
    while not is_true():
        assert time.monotonic() < end_s
        time.sleep(0.05)
