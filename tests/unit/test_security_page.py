"""SECURITY.md names a test for each refusal, and each of them exists; what no other test holds is held here."""

import ast
import re

import pytest
import yaml
from command import ROOT

PAGE = (ROOT / "SECURITY.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)


def test_the_page_names_tests():
    assert len(set(NAMED)) > 30


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)))
def test_every_test_that_the_page_names_is_there(file, name):
    tree = ast.parse((ROOT / file).read_text())

    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_refusal_of_the_page_names_its_test():
    part = PAGE[PAGE.index("## What is refused") : PAGE.index("## What is not promised")]

    assert [line for line in part.splitlines() if line.startswith("- ") and "::test_" not in line] == []


def test_services_that_see_notes_or_scores_have_no_way_out():
    whole = yaml.safe_load((ROOT / "docker-compose.yml").read_text())

    assert whole["networks"]["inside"] == {"internal": True}
    for name in ("worker", "scheduler", "migrate", "postgres", "valkey"):
        assert whole["services"][name]["networks"] == ["inside"], name
    # Their ports are published, which an internal network cannot: no connection to outside comes about without translation.
    for name, network in (("seaweedfs", "uploads"), ("api", "apps")):
        assert whole["services"][name]["networks"] == ["inside", network], name
        options = whole["networks"][network]["driver_opts"]
        assert options == {"com.docker.network.bridge.enable_ip_masquerade": "false"}
