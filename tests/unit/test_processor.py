"""What /proc/cpuinfo tells about several processors, what that means for int8, and who is told."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from config.settings import SHIPPED_MODELS, Settings
from tests.unit.bundles import make_graph, write_bundle
from tonalog.doctor import examine_one
from worker.registered import warn_of_overflow
from worker.scoring import processor as processor_module
from worker.scoring.bundle import load_bundle
from worker.scoring.graph import find_largest_weight
from worker.scoring.processor import Processor, describe_processor, find_overflow, find_processor, read_processor

GENOA = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model name\t: AMD EPYC 9R14
flags\t\t: fpu vme sse4_1 sse4_2 avx f16c avx2 bmi2 avx512f avx512dq avx512ifma avx512bw avx512vl avx512_bf16 avx512_vnni
bugs\t\t: sysret_ss_attrs spectre_v1

processor\t: 1
model name\t: AMD EPYC 9R14
"""
SKYLAKE_SERVER = """processor\t: 0
model name\t: Intel(R) Xeon(R) Platinum 8175M CPU @ 2.50GHz
flags\t\t: fpu sse4_1 sse4_2 avx f16c rdrand avx2 bmi2 avx512f avx512dq clflushopt clwb avx512cd avx512bw avx512vl
"""
HASWELL = """processor\t: 0
model name\t: Intel(R) Core(TM) i7-4790 CPU @ 3.60GHz
flags\t\t: fpu vme de sse sse2 ssse3 fma sse4_1 sse4_2 movbe avx f16c bmi1 avx2 bmi2 erms invpcid
"""
ALDER_LAKE = """processor\t: 0
model name\t: 12th Gen Intel(R) Core(TM) i5-1240P
flags\t\t: fpu sse4_1 sse4_2 fma avx f16c avx2 avx_vnni vaes vpclmulqdq serialize
"""
WESTMERE = """processor\t: 0
model name\t: Intel(R) Xeon(R) CPU E5620 @ 2.40GHz
flags\t\t: fpu vme sse sse2 ssse3 cx16 sse4_1 sse4_2 popcnt aes
"""
GRAVITON3 = """processor\t: 0
BogoMIPS\t: 2100.00
Features\t: fp asimd evtstrm aes atomics fphp asimdhp asimddp sve i8mm bf16 dgh rng
CPU implementer\t: 0x41
CPU part\t: 0xd40
"""
GRAVITON2 = """processor\t: 0
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp ssbs
"""
RASPBERRY_4 = """processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
Model\t\t: Raspberry Pi 4 Model B Rev 1.4
"""


@pytest.mark.parametrize(
    ("cpuinfo", "machine", "products", "is_quick", "adds_in_16_bits"),
    [
        (GENOA, "x86_64", "AVX-512 VNNI", True, False),
        (ALDER_LAKE, "x86_64", "AVX-VNNI", True, False),
        (SKYLAKE_SERVER, "x86_64", "AVX-512 without VNNI", False, True),
        (HASWELL, "x86_64", "AVX2 without VNNI", False, True),
        (WESTMERE, "x86_64", "SSE, no AVX2", False, True),
        (GRAVITON3, "aarch64", "i8mm", True, False),
        (GRAVITON2, "aarch64", "dot products", True, False),
        (RASPBERRY_4, "aarch64", "NEON without dot products", False, False),
        ("", "arm64", "a processor that tells no features", None, False),
        ("", "AMD64", "a processor that tells no features", None, True),
        ("", "riscv64", "a processor that tells no features", None, False),
    ],
)
def test_features_say_how_int8_is_multiplied(
    cpuinfo: str, machine: str, products: str, is_quick: bool | None, adds_in_16_bits: bool
) -> None:
    result = read_processor(cpuinfo, machine)

    assert (result.products, result.is_quick, result.adds_in_16_bits) == (products, is_quick, adds_in_16_bits)


def test_the_name_is_that_of_the_first_core_or_of_the_architecture() -> None:
    assert read_processor(GENOA, "x86_64").name == "AMD EPYC 9R14"
    assert read_processor(GRAVITON3, "aarch64").name == "aarch64"
    assert read_processor("", "").name == "unknown"


def test_a_processor_without_vnni_is_slower_and_gives_the_same_scores_with_7_bits() -> None:
    text = describe_processor(read_processor(HASWELL, "x86_64"))

    assert "a window takes longer" in text
    assert "scores are those of other processors" in text


def test_this_machine_is_read_without_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_processor().products
    monkeypatch.setattr(processor_module, "CPUINFO", tmp_path / "none")
    assert find_processor().is_quick is None


def make_weighted(largest: int, *, is_raw: bool = True) -> onnx.ModelProto:
    """A graph that also holds an int8 matrix."""
    graph = make_graph()
    values = np.array([[1, -largest], [3, 2]], dtype=np.int8)
    tensor = numpy_helper.from_array(values, "small")
    if not is_raw:
        tensor = helper.make_tensor("small", TensorProto.INT8, values.shape, values.ravel().tolist())
    graph.graph.initializer.append(tensor)
    return graph


@pytest.mark.parametrize("is_raw", [True, False])
@pytest.mark.parametrize("largest", [64, 127])
def test_the_largest_weight_is_found_however_it_is_stored(largest: int, is_raw: bool) -> None:
    assert find_largest_weight(make_weighted(largest, is_raw=is_raw).SerializeToString()) == largest
    assert find_largest_weight(make_graph().SerializeToString()) == 0


def test_only_weights_of_8_bits_on_a_processor_that_adds_in_16_bits_can_overflow() -> None:
    small, large = (make_weighted(largest).SerializeToString() for largest in (64, 65))
    old, new = read_processor(HASWELL, "x86_64"), read_processor(GENOA, "x86_64")

    assert [find_overflow(one, graph) for one in (old, new) for graph in (small, large)] == [None, 65, None, None]


def test_the_shipped_bundle_cannot_overflow_anywhere() -> None:
    for manifest in SHIPPED_MODELS.glob("*/manifest.json"):
        bundle = load_bundle(manifest.parent)
        assert find_overflow(read_processor(WESTMERE, "x86_64"), bundle.model_bytes) is None


@pytest.fixture
def old_machine(monkeypatch: pytest.MonkeyPatch) -> Processor:
    old = read_processor(SKYLAKE_SERVER, "x86_64")
    monkeypatch.setattr(processor_module, "find_processor", lambda: old)
    monkeypatch.setattr("worker.registered.find_processor", lambda: old)
    return old


@pytest.mark.usefixtures("old_machine")
def test_doctor_names_a_bundle_whose_sums_can_overflow_and_what_to_do(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "tiny", make_weighted(127))

    finding = examine_one(Settings.read(home=tmp_path, model_dir=folder), "processor")

    assert not finding.is_well
    assert "int8 weights of tiny-0.0.1 go up to 127, allowed here are 64" in finding.text
    assert "Use a processor with VNNI" in finding.text


@pytest.mark.usefixtures("old_machine")
def test_doctor_says_of_a_slow_processor_that_it_is_slow(tmp_path: Path) -> None:
    finding = examine_one(Settings.read(home=tmp_path), "processor")

    assert finding.is_well
    assert "Xeon(R) Platinum 8175M" in finding.text
    assert "takes longer" in finding.text


@pytest.mark.usefixtures("old_machine")
def test_a_worker_warns_when_it_loads_such_a_bundle_and_only_then(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        warn_of_overflow(load_bundle(write_bundle(tmp_path / "small", make_weighted(64))))
        assert caplog.records == []
        warn_of_overflow(load_bundle(write_bundle(tmp_path / "large", make_weighted(127))))

    assert [record.getMessage() for record in caplog.records] == [
        "sums of int8 products of this model can overflow on this processor"
    ]
