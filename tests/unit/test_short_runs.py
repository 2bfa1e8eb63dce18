"""What `make test` leaves to `make test-long`: the tests that a module does not name in its `IN_MAKE_TEST`."""

import os
import subprocess
import sys

from command import ROOT

TESTS = """
import pytest
IN_MAKE_TEST = ("test_whole", {name!r})
def test_whole(): pass
def test_rest(): pass
@pytest.mark.parametrize("n", [1, 2])
def test_part(n): pass
"""


def collect(folder, name):
    (folder / "test_it.py").write_text(TESTS.format(name=name))
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", "--collect-only", "-q"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    done = subprocess.run(
        [*command, "-m", "not long", "test_it.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_short_run_has_the_named_tests_and_no_others(tmp_path):
    code, printed = collect(tmp_path, "test_part[2]")

    assert code == 0, printed
    assert [line.partition("::")[2] for line in printed.splitlines() if "::" in line] == ["test_whole", "test_part[2]"]


def test_a_name_that_no_test_has_is_refused(tmp_path):
    code, printed = collect(tmp_path, "test_prat")

    assert code != 0
    assert "names 'test_prat', which is no test of it" in printed
