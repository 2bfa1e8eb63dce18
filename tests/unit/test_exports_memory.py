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
form, folder, *urls = sys.argv[1:]
for n, url in enumerate(urls):
    selection, target = Selection(tenant="tenant-0"), Path(folder) / f"out-{n}"
    write_export(make_engine(url), selection, target, form=Format(form), options=Options(version="0"))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
FEW, MANY = 1_000, 10_000  # notes, each with three segments
MAX_GROWTH_MIB = 16  # all rows at once would be 36


@pytest.fixture(scope="module")
def urls(tmp_path_factory):
    made = []
    for n_notes in (FEW, MANY):
        folder = tmp_path_factory.mktemp(str(n_notes))
        engine = new_sqlite(folder)
        filling.fill(engine, n_notes=n_notes, n_people=1)
        made.append(engine.url.render_as_string(hide_password=False))
    return made


@pytest.mark.parametrize("form", ["csv", "jsonl", "fhir"])
def test_memory_does_not_grow_with_the_rows(urls, tmp_path, form):
    printed = subprocess.check_output([sys.executable, "-c", EXPORT, form, tmp_path, *urls], cwd=ROOT)

    few, many = map(int, printed.split())

    assert many - few <= MAX_GROWTH_MIB
