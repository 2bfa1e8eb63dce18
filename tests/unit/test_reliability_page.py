"""docs/reliability.md names a test for each fault, and each of them exists."""

import ast
import re

import pytest
from command import ROOT

PAGE = (ROOT / "docs" / "reliability.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)))
def test_every_test_that_the_page_names_is_there(file, name):
    tree = ast.parse((ROOT / file).read_text())

    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_fault_of_the_page_names_its_test():
    table = PAGE[PAGE.index("| Fault |") :].splitlines()[2:]
    faults = [line for line in table if line.startswith("|")]

    assert len(faults) > 15
    assert [line for line in faults if "::test_" not in line] == []
