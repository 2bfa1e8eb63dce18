"""What a worker and a scheduler do when they start beside another schema; running ones are in tests/integration."""

import sqlite3

import pytest
from command import Cli
from db_samples import new_sqlite


@pytest.mark.parametrize("process", ["worker", "scheduler"])
def test_a_process_refuses_to_start_beside_a_schema_that_left_its_release_behind(tmp_path, process):
    cli = Cli(tmp_path)
    (tmp_path / "home").mkdir()
    new_sqlite(tmp_path / "home")
    with sqlite3.connect(tmp_path / "home" / "tonalog.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.execute("UPDATE schema_compatibility SET works_beside = '9998'")
    database.close()

    printed = cli(process, code=1)

    assert "works with releases from revision 9998 on" in " ".join(printed.split())
