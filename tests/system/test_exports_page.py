"""docs/exports.md: every block runs as it stands, and the page has the columns of the data dictionary."""

import re
import shlex
import shutil
import subprocess
import sys

import forked
import pytest
from api_samples import Client, free_port
from command import ROOT, Cli, kill_tree, wait_until

from db import api_keys
from db.engine import make_engine
from db.reasons import Scope
from exports.dictionary import TABLES
from exports.write import Format

PAGE = (ROOT / "docs" / "exports.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|python)\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def cli(tmp_path_factory, embedded):
    """The demo's notes, scored by the real command."""
    folder = tmp_path_factory.mktemp("exports")
    shutil.copytree(embedded.folder / "home", folder / "home")
    return Cli(folder)


@pytest.fixture(scope="module")
def served(cli):
    engine = make_engine(f"sqlite:///{cli.folder / 'home' / 'tonalog.db'}")
    secret = api_keys.create(engine, "default", name="app", scopes=[Scope.READ]).secret
    port = free_port()
    process = cli.start("api", "--port", port, log="api.log")
    try:
        assert wait_until(lambda: is_ready(port) or process.poll() is not None, timeout_s=120), cli.worker_log()
        yield {"API": f"http://127.0.0.1:{port}", "KEY": secret}
    finally:
        kill_tree(process)


def is_ready(port):
    try:
        return Client(port).get("/readyz").status == 200
    except OSError:
        return False


def run(cli, kind, block, variables):
    lines = block.splitlines()
    if kind == "sh" and all(line.startswith("tonalog ") and not line.endswith("\\") for line in lines):
        return "".join(call(cli, *shlex.split(line)[1:]) for line in lines)
    tonalog = f'tonalog() {{ "{sys.executable}" -P -m tonalog "$@"; }}\nset -eu\n'
    command = ["bash", "-c", tonalog + block] if kind == "sh" else [sys.executable, "-c", block]
    environment = {**cli.environment, **variables, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, cwd=cli.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (block, done.stdout, done.stderr)
    return done.stdout


def call(cli, *arguments):
    done = forked.run(arguments, environment=cli.environment, folder=cli.folder, timeout_s=120)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page shows curl, and there is none")
def test_every_block_of_the_page_runs_in_its_order(cli, served):
    printed = [run(cli, kind, block, served) for kind, block in BLOCKS]

    assert len(printed) >= 6
    assert "ana" in printed[1]
    made = {path.name for path in cli.folder.iterdir()}
    assert {"scores", "ana", "scores-parquet", "scores-audformat", "scores-fhir.zip", "ana.zip", "with-keys"} <= made
    assert {"ana-with-audio.zip", "ana-csv.zip"} <= made


def test_the_page_names_every_format():
    assert [form for form in Format if f"| `{form}` |" not in PAGE] == []


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_page_has_the_columns_of_the_data_dictionary(table):
    part = PAGE[PAGE.index(f"### `{table.name}`: {table.meaning}") :].split("\n\n")[1]
    rows = [line for line in part.splitlines() if line.startswith("| `")]

    assert rows == [f"| `{column.name}` | {column.kind} | {column.meaning} |" for column in table.columns]
