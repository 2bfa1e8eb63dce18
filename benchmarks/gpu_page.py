"""Put what `gpu.py` measured into docs/performance.md, between its markers.

python -m benchmarks.gpu_page [FILE]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.bench_page import PAGE, put_between

KEPT = Path(__file__).resolve().parent / "gpu_results.json"
BEGIN, END = "<!-- results of gpu.py -->", "<!-- end of gpu.py -->"
WINDOW_S, RATE_HZ, SAMPLE_BYTES = 8, 16_000, 2
FRONT_MS_AN_AUDIO_S = 2.6
"""What decoding Opus and finding speech cost on one core (`make bench`)."""
KINDS = {
    "rounded": "torch, activations rounded to 8 bits, products in float32",
    "half": "torch, products in half precision",
    "compiled half": "torch.compile, products in half precision",
    "onnxruntime": "onnxruntime, CUDA provider",
}


def main() -> None:
    """Rewrite the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=KEPT, help="what gpu.py --json wrote")
    text = describe(json.loads(parser.parse_args().file.read_text(encoding="utf-8")))
    PAGE.write_text(put_between(PAGE.read_text(encoding="utf-8"), text, begin=BEGIN, end=END), encoding="utf-8")
    print(text)


def describe(figures: Mapping[str, Any]) -> str:
    """Return the figures as Markdown."""
    return "\n".join(_lines(figures))


def _lines(figures: Mapping[str, Any]) -> Iterator[str]:
    machine, cpu = figures["machine"], figures["cpu"]
    yield f"{machine['gpu']}, beside {machine['cpu']} ({machine['cores']} cores), {figures['model']}; {machine['versions']}."
    yield f"One core of that machine scores {cpu['windows_a_core_s']:.1f} windows of 8 s a second ({cpu['ms_a_window']:.1f} ms each)."
    yield ""
    yield (
        "| graph | batch | windows a second | largest difference from the CPU | same label | "
        "same bits with other neighbours | same bits as in the smallest batch |"
    )
    yield "|---|---|---|---|---|---|---|"
    for kind, batches in figures["gpu"].items():
        if "missing" in batches:
            yield f"| {KINDS[kind]} | - | not measured: {batches['missing']} | | | | |"
            continue
        for batch, one in batches.items():
            yield f"| {KINDS[kind]} | {batch} | {_row(one)} |"
    yield ""
    yield from _weigh(figures)


def _weigh(figures: Mapping[str, Any]) -> Iterator[str]:
    """Say what the GPU is worth in cores: beside those of its own machine, and kept busy by others."""
    price, cores, model_s = figures["price"], figures["machine"]["cores"], figures["cpu"]["ms_a_window"] / 1e3
    front_s = WINDOW_S * FRONT_MS_AN_AUDIO_S / 1e3
    fed, alone = cores / front_s, cores / (front_s + model_s)
    rate = price["windows_a_s"]
    yield (
        f"- **Beside the cores of its own machine**: {cores} cores that decode and find speech ({FRONT_MS_AN_AUDIO_S} ms an audio second) feed it {fed:,.0f} "
        f"windows a second and keep it {fed / rate:.1%} busy. Without it they score {alone:,.0f} windows a second themselves. So it is worth "
        f"{(fed / alone - 1) * cores:.0f} cores, and pays if its hour costs less than so many core hours."
    )
    yield (
        f"- **Kept busy by others**: the quickest of these ({price['best']}) does the model's part of {rate * model_s:,.0f} cores. To keep it busy, "
        f"{rate * front_s:,.0f} cores must decode for it and send it {rate * WINDOW_S * RATE_HZ * SAMPLE_BYTES / 1e9:.1f} GB a second."
    )
    yield (
        f"- **A million notes of 20 s**: {price['gpu_s_for_a_million_notes_of_20_s']:,.0f} s of it, or "
        f"{price['core_hours_of_the_model_for_a_million_notes_of_20_s']:.1f} core hours for the model's part."
    )


def _row(one: Mapping[str, Any]) -> str:
    if "failed" in one:
        return f"failed: {one['failed']} | | | | "
    yes = {True: "yes", False: "no"}
    neighbours = yes[one["is_bit_equal_with_other_neighbours"]] if "is_bit_equal_with_other_neighbours" in one else "-"
    smallest = yes[one["is_bit_equal_to_batch_of_least"]]
    change = "" if smallest == "yes" else f" (up to {one['largest_change_by_batch']:.1g})"
    return f"{one['windows_a_s']:,.0f} | {one['largest_difference']:.1g} | {one['same_label']:.1%} | {neighbours} | {smallest}{change}"


if __name__ == "__main__":
    main()
