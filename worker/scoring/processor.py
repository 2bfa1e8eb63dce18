"""What the processor multiplies 8-bit numbers with: how quick windows are here, and whether sums of products can overflow.

onnxruntime chooses by the same features. With VNNI, or on ARM, products of 8 bits are added in 32 bits. Other x86 processors
add two of them in 16 bits first, which weights of 8 bits overflow without a word: scores would be other ones than elsewhere
(ONNX Runtime, "Quantize ONNX models", on reduce_range). Weights up to 64 do not: 2 * 255 * 64 is under 2**15.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from worker.scoring.graph import find_largest_weight

SAFE_WEIGHT = 64
"""Two products of it by 255 add up to 32,640, and 16 bits hold 32,767."""
CPUINFO = Path("/proc/cpuinfo")
MAX_CPUINFO_BYTES = 1 << 20  # one core takes about 1.5 kB
X86 = frozenset({"x86_64", "amd64", "i386", "i686"})
ARM = frozenset({"aarch64", "arm64"})
_UNKNOWN = "a processor that tells no features"
_X86_KINDS = (
    ("avx512_vnni", "AVX-512 VNNI", True),
    ("avx_vnni", "AVX-VNNI", True),
    ("avx512bw", "AVX-512 without VNNI", False),
    ("avx2", "AVX2 without VNNI", False),
)
_ARM_KINDS = (
    ("i8mm", "i8mm", True),
    ("asimddp", "dot products", True),
)
"""Feature, what it is called, and whether one instruction multiplies and adds. The first that is there counts."""


@dataclass(frozen=True)
class Processor:
    """What decides speed and sums of int8.

    Attributes:
        name: as the system gives it.
        products: what 8-bit numbers are multiplied with.
        is_quick: one instruction multiplies and adds; None where nothing is known.
        adds_in_16_bits: weights over `SAFE_WEIGHT` can overflow.
    """

    name: str
    products: str
    is_quick: bool | None
    adds_in_16_bits: bool


def read_processor(cpuinfo: str, machine: str) -> Processor:
    """Read what Linux tells of the processor.

    Args:
        cpuinfo: content of /proc/cpuinfo, empty where there is none.
        machine: of `platform.machine()`.
    """
    held = _read_fields(cpuinfo)
    name = held.get("model name") or machine or "unknown"
    features = frozenset(held.get("flags", held.get("features", "")).split())
    kind = machine.lower()
    if kind in ARM:
        if not features:  # macOS has no such file, and every Apple processor multiplies and adds in one step
            return Processor(name, _UNKNOWN, is_quick=None, adds_in_16_bits=False)
        products, is_quick = _choose(_ARM_KINDS, features, "NEON without dot products")
        return Processor(name, products, is_quick=is_quick, adds_in_16_bits=False)
    if kind in X86 and features:
        products, is_quick = _choose(_X86_KINDS, features, "SSE, no AVX2")
        return Processor(name, products, is_quick=is_quick, adds_in_16_bits=not is_quick)
    return Processor(name, _UNKNOWN, is_quick=None, adds_in_16_bits=kind in X86)


def find_processor() -> Processor:
    """Read the processor of this machine."""
    try:
        with CPUINFO.open("rb") as file:
            text = file.read(MAX_CPUINFO_BYTES).decode(errors="replace")
    except OSError:
        text = ""
    return read_processor(text, platform.machine())


def find_overflow(processor: Processor, model_bytes: bytes) -> int | None:
    """Return a graph's largest int8 weight where sums of its products can overflow on this processor, else None.

    Args:
        processor: that scores.
        model_bytes: of model.onnx, an ONNX model.
    """
    if not processor.adds_in_16_bits:
        return None
    largest = find_largest_weight(model_bytes)
    return largest if largest > SAFE_WEIGHT else None


def describe_processor(processor: Processor) -> str:
    """Say what was found and what it means for speed and scores, in one line.

    >>> describe_processor(read_processor("flags : avx2 avx512bw avx512_vnni", "x86_64"))
    'x86_64, AVX-512 VNNI: int8 at full speed; no sum of products can overflow'
    """
    speeds = {
        True: "int8 at full speed",
        False: "int8 products take several instructions where newer processors need one, so that a window takes longer",
        None: "nothing is known of its speed",
    }
    sums = (
        f"weights up to {SAFE_WEIGHT}, as in the shipped bundle, cannot overflow: scores are those of other processors"
    )
    scores = sums if processor.adds_in_16_bits else "no sum of products can overflow"
    return f"{processor.name}, {processor.products}: {speeds[processor.is_quick]}; {scores}"


def _choose(kinds: tuple[tuple[str, str, bool], ...], features: frozenset[str], other: str) -> tuple[str, bool]:
    return next(((name, is_quick) for feature, name, is_quick in kinds if feature in features), (other, False))


def _read_fields(cpuinfo: str) -> dict[str, str]:
    """Return the fields of the first core; keys in small letters, since ARM writes them otherwise."""
    fields: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip().lower(), " ".join(value.split()))
    return fields
