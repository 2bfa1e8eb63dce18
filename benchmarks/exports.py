"""How long an export takes and how much memory, with few and with many segments.

python benchmarks/exports.py [--notes 345000] [--formats csv jsonl parquet fhir] [--url URL]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from protocol import print_protocol

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
FEW = 3_450  # notes; three segments a scored note, so that 345,000 notes have a million
MAX_GROWTH_MIB = 64  # of memory, from few notes to many
# In a process of its own, whose peak is that of this export alone.
EXPORT = """
import json, resource, sys, time
from pathlib import Path
from db.engine import make_engine
from db.snapshot import Selection
from exports.write import Format, Options, write_export
begun_s = time.monotonic()
written = write_export(
    make_engine(sys.argv[1]), Selection(tenant="tenant-0"), Path(sys.argv[2]), form=Format(sys.argv[3]),
    options=Options(version="0"),
)
wall_s = time.monotonic() - begun_s
used = resource.getrusage(resource.RUSAGE_SELF)
cpu_s, peak_mib = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
print(json.dumps({"cpu_s": cpu_s, "rows": sum(written.n_rows.values()), "wall_s": wall_s, "peak_mib": peak_mib}))
"""


def main() -> int:
    """Fill two databases, export both, and print; 1 where memory grows with the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--notes", type=int, default=345_000)
    parser.add_argument("--formats", nargs="+", default=["csv", "jsonl", "parquet", "fhir"])
    options = parser.parse_args()
    print_protocol(
        f"notes of one person on SQLite, {FEW} and {options.notes}, three segments a scored note",
        order="one after the other, each in a process of its own; filling the databases is not counted",
    )
    with tempfile.TemporaryDirectory() as folder:
        urls = [make_database(Path(folder) / f"{n}.db", n_notes=n) for n in (FEW, options.notes)]
        is_flat = True
        for form in options.formats:
            few, many = (measure(url, Path(folder) / f"{form}-{i}", form) for i, url in enumerate(urls))
            growth_mib = many["peak_mib"] - few["peak_mib"]
            is_flat &= growth_mib <= MAX_GROWTH_MIB
            print(
                f"{form:8} {few['rows']:9,.0f} rows: {few['peak_mib']:4.0f} MiB; {many['rows']:9,.0f} rows: "
                f"{many['peak_mib']:4.0f} MiB, {many['wall_s']:5.1f} s ({many['cpu_s']:5.1f} s of processor time), {many['rows'] / many['cpu_s']:8,.0f} rows "
                "a second of processor time",
                flush=True,
            )
    return 0 if is_flat else 1


def make_database(file: Path, *, n_notes: int) -> str:
    """Fill a new SQLite database; gives its URL."""
    from filling import fill  # noqa: PLC0415 - of the tests

    from db import migrate  # noqa: PLC0415
    from db.engine import make_engine  # noqa: PLC0415

    url = f"sqlite:///{file}"
    engine = make_engine(url)
    migrate.upgrade(engine)
    fill(engine, n_notes=n_notes, n_people=1)
    return url


def measure(url: str, target: Path, form: str) -> dict[str, float]:
    """Write one export; gives rows, seconds and the peak of memory in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", EXPORT, url, str(target), form], cwd=ROOT, check=True, capture_output=True, text=True
    )
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


if __name__ == "__main__":
    sys.exit(main())
