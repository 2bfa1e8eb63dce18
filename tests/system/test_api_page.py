"""docs/api.md, block by block, against the real `tonalog api`; and schemathesis over the whole document."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from api_samples import Client, fill, free_port
from command import ROOT, Cli, kill_tree, wait_until
from db_samples import a_recording, add_active_model, days_later, new_sqlite, score_all

from db import api_keys, jobs, recordings
from db.reasons import Lane, Scope
from people import refresh

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL)
ASKING = [block for block in BLOCKS if "curl" in block]
KEYS = [block for block in BLOCKS if block.startswith("tonalog keys")]
PYTHON = re.compile(r"^```python\n(.+?)^```", re.MULTILINE | re.DOTALL)
PYTHON_BLOCKS = [
    (name, block)
    for name in ("api.md", "migrate-from-hume.md")
    for block in PYTHON.findall((ROOT / "docs" / name).read_text(encoding="utf-8"))
]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The real command on the embedded default, with notes of two people; gives its port, a key and its folder."""
    folder = tmp_path_factory.mktemp("api")
    home = folder / "home"
    home.mkdir()
    engine = new_sqlite(home)
    add_active_model(engine, "0.5.1")  # as the examples of the document call it; so is note 17
    fill(engine)
    march = [days_later(n - 245) for n in range(3)]
    found = [a_recording(f"ana/{day:%d}.wav", subject="ana", recorded_at=day) for day in march]
    recordings.register(engine, [*found, *(a_recording(f"anna/more-{n}.wav", subject="anna") for n in range(3))])
    jobs.create_jobs(engine, 1, lane=Lane.NIGHTLY)
    score_all(engine)
    refresh(engine)
    secret = api_keys.create(engine, "default", name="app", scopes=list(Scope)).secret
    port = free_port()
    (folder / "notes").mkdir()
    variables = {"TONALOG_API_OPEN_UPLOADS": "100000", "TONALOG_STORAGE_URL": str(folder / "notes")}
    cli = Cli(folder, {"TONALOG_API_REQUESTS_PER_S": "10000", **variables})
    process = cli.start("api", "--no-webhooks", "--port", port, log="api.log")
    try:
        assert wait_until(lambda: is_ready(port) or process.poll() is not None, timeout_s=120), cli.worker_log()
        assert process.poll() is None, cli.worker_log()
        yield port, secret, cli
    finally:
        kill_tree(process)


def is_ready(port):
    try:
        return Client(port).get("/readyz").status == 200
    except OSError:
        return False


def run_block(served, block):
    port, secret, cli = served
    tonalog = f'tonalog() {{ "{sys.executable}" -m tonalog "$@"; }}\nset -eu\n'
    variables = {**cli.environment, "API": f"http://127.0.0.1:{port}", "KEY": secret}
    done = subprocess.run(
        ["bash", "-c", tonalog + block], env=variables, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (block, done.stderr)
    return done.stdout


def test_the_page_has_blocks_of_both_kinds():
    assert len(ASKING) >= 4
    assert len(KEYS) == 1
    assert "DELETE" in ASKING[-1]  # in the order of the page, so that the others find somebody


def test_every_block_of_python_runs_against_the_server(served):
    """Those that show what was called before can only be read: that API is no more."""
    port, secret, cli = served
    variables = {**cli.environment, "API": f"http://127.0.0.1:{port}", "KEY": secret}
    n_run = 0
    for name, block in PYTHON_BLOCKS:
        compile(block, name, "exec")
        if "import hume" in block or "from hume" in block:
            continue
        done = subprocess.run(
            [sys.executable, "-c", block], env=variables, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (name, done.stderr)
        assert done.stdout, name
        n_run += 1
    assert n_run >= 3


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page shows curl, and there is none")
def test_every_block_of_the_page_runs_and_is_answered(served):
    printed = [run_block(served, block) for block in ASKING]

    assert '"subject":"ana"' in printed[0]
    told = ('"notes":[{', '"changes":[{', '"erasures":[{', '"status":"received"')
    assert all(any(text in answer for text in told) for answer in printed)
    assert "HTTP/1.1 202" in printed[-1]


def test_every_route_and_problem_is_on_the_page(served):
    port, _, _ = served
    document = Client(port).get("/openapi.json").json
    source = "".join(path.read_text() for path in (ROOT / "api").rglob("*.py"))
    kinds = set(re.findall(r"Problem\(\s*\d+,\s*\"([a-z-]+)\"", source)) - {"refused"}

    routes = [re.sub(r"\{\w+_id\}", "{id}", path) for path in document["paths"]]
    assert [route for route in routes if f" {route}`" not in PAGE] == []
    assert len(kinds) >= 10
    assert [kind for kind in kinds if f"`{kind}`" not in PAGE] == []


def test_the_document_has_an_example_of_every_answer(served):
    port, _, _ = served
    schemas = Client(port).get("/openapi.json").json["components"]["schemas"]

    assert [name for name, schema in schemas.items() if name.endswith("Body") and "examples" not in schema] == []


def run_schemathesis(served, folder, *options, **variables):
    port, secret, cli = served
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"http://127.0.0.1:{port}/openapi.json",
        *("--header", f"Authorization: Bearer {secret}"),
        *("--seed", "1"),
        *("--generation-database", "none"),
        "--no-color",
        *options,
    ]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TONALOG_")}

    done = subprocess.run(command, env={**clean, **variables}, cwd=folder, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-6000:]
    assert "request failed" not in cli.worker_log()


# `make test` asks the wrong questions that the document implies and some right ones, `make test-long` many more of each kind.
MANY = pytest.param(("--max-examples", "30"), id="many", marks=[pytest.mark.long, pytest.mark.timeout(1200)])


@pytest.mark.parametrize("options", [pytest.param(("--phases", "coverage", "--mode", "negative"), id="few"), MANY])
def test_schemathesis_finds_no_answer_that_the_document_does_not_describe(served, tmp_path, options):
    # A cursor of another question, or a day before another one, is of the right form and refused all the same.
    run_schemathesis(served, tmp_path, *options, "--exclude-checks", "positive_data_acceptance")


FEW_RIGHT_ONES = ("--phases", "examples,fuzzing,stateful", "--max-examples", "3")


@pytest.mark.parametrize("options", [pytest.param(FEW_RIGHT_ONES, id="few"), MANY])
def test_schemathesis_finds_no_question_that_fits_the_document_and_is_refused(served, tmp_path, options):
    hooks = ROOT / "tests" / "system" / "answerable.py"
    variables = {"PYTHONPATH": str(hooks.parent), "SCHEMATHESIS_HOOKS": hooks.stem}

    run_schemathesis(served, tmp_path, *options, "--mode", "positive", **variables)


def test_the_keys_of_the_page_can_be_listed_rotated_and_revoked(served):
    printed = run_block(served, KEYS[0])

    assert "Key 1 of tenant 'default' is revoked." in printed
    port, secret, cli = served
    assert Client(port, secret).get("/v1/models").status == 401
    assert json.loads(cli("keys", "list", "--json"))[0]["state"] == "revoked"
