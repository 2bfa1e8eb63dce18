"""An export of many rows takes no more memory than one of few."""

import subprocess
import sys

import filling
import pytest
from command import ROOT
from db_samples import new_sqlite

EXPORT = """
import resource, sys
from pathlib import Path
from db.engine import make_engine
from db.snapshot import Selection
from exports.write import Format, Options, write_export
write_export(
    make_engine(sys.argv[1]), Selection(tenant="tenant-0"), Path(sys.argv[2]), form=Format(sys.argv[3]),
    options=Options(version="0"),
)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
FEW, MANY = 1_000, 10_000  # notes, each with three segments
MAX_GROWTH_MIB = 16  # all rows at once would be 36


@pytest.fixture
def urls(tmp_path):
    made = []
    for n_notes in (FEW, MANY):
        folder = tmp_path / str(n_notes)
        folder.mkdir()
        engine = new_sqlite(folder)
        filling.fill(engine, n_notes=n_notes, n_people=1)
        made.append(engine.url.render_as_string(hide_password=False))
    return made


@pytest.mark.parametrize("form", ["csv", "jsonl", "fhir"])
def test_memory_does_not_grow_with_the_rows(urls, tmp_path, form):
    few, many = (
        int(subprocess.check_output([sys.executable, "-c", EXPORT, url, tmp_path / f"out-{n}", form], cwd=ROOT))
        for n, url in enumerate(urls)
    )

    assert many - few <= MAX_GROWTH_MIB
