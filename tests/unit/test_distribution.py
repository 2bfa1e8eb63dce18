"""What is shipped and what every file looks like: names, wheel, sizes, docstrings and the examples in them."""

import ast
import doctest
import email
import importlib.util
import json
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from command import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ROOMS = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
OTHERS = ("benchmarks", "examples", "tests")
BUNDLES = sorted(path.parent for path in (ROOT / "models").glob("*/manifest.json"))
# As a script's folder is first on the path, each of these would hide a module that others import.
TAKEN_NAMES = {"celery", "logging", "queue", "signal", "types"}
MAX_LINES = 400

SOURCES = sorted(path for folder in (*ROOMS, *OTHERS) for path in (ROOT / folder).rglob("*.py"))
MODULES = [path for path in SOURCES if path.relative_to(ROOT).parts[0] in ROOMS]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def has_examples(path):
    is_importable = path.relative_to(ROOT).parts[0] != "training" or importlib.util.find_spec("torch")
    return is_importable and ">>> " in path.read_text()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = "import sys, hatchling.build; print(hatchling.build.build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(folder)], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(folder / done.stdout.split()[-1]) as opened:
        yield opened


@pytest.fixture(scope="module")
def metadata(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return email.message_from_bytes(wheel.read(name))


@pytest.fixture(scope="module")
def owners():
    """Which distributions each name belongs to; to ask reads the list of files of everything that is installed."""
    return packages_distributions()


@pytest.fixture(scope="module")
def places():
    """Where a fresh process finds each room: parts of onnxruntime add folders of their own to this one's path."""
    code = "import sys, importlib.util as i, json; "
    code += "print(json.dumps({room: list(i.find_spec(room).submodule_search_locations) for room in sys.argv[1:]}))"
    return json.loads(subprocess.check_output([sys.executable, "-c", code, *ROOMS], cwd=ROOT))


@pytest.mark.parametrize("room", ROOMS)
def test_no_other_distribution_owns_the_name_of_a_room(owners, places, room):
    assert set(owners.get(room, [])) <= {"tonalog"}
    assert {Path(place).resolve() for place in places[room]} == {ROOT / room}


def test_the_wheel_holds_the_rooms_and_nothing_beside_them(wheel):
    top = {name.split("/")[0] for name in wheel.namelist()}

    assert {name for name in top if not name.endswith(".dist-info")} == set(ROOMS)
    assert set(ROOMS) == {
        "api",
        "config",
        "db",
        "exports",
        "models",
        "people",
        "pictures",
        "scheduler",
        "storage",
        "telemetry",
        "tonalog",
        "training",
        "trends",
        "worker",
    }


def test_the_wheel_holds_every_module(wheel):
    assert {name_of(path) for path in MODULES} <= set(wheel.namelist())


def test_the_wheel_holds_every_bundle_whole(wheel):
    assert BUNDLES
    for bundle in BUNDLES:
        assert {name_of(path) for path in bundle.iterdir()} <= set(wheel.namelist())
        assert wheel.read(f"{name_of(bundle)}/model.onnx") == (bundle / "model.onnx").read_bytes()


def test_the_wheel_holds_what_alembic_reads(wheel):
    needed = [path for path in (ROOT / "db" / "migrations").rglob("*") if path.suffix in {".py", ".mako"}]

    assert len(needed) >= 4
    assert {name_of(path) for path in needed} <= set(wheel.namelist())


def test_the_wheel_holds_what_pages_are_made_of(wheel):
    needed = [path for path in (ROOT / "pictures").rglob("*") if path.suffix in {".css", ".html", ".json"}]

    assert len(needed) >= 8
    assert {name_of(path) for path in needed} <= set(wheel.namelist())


def test_the_base_installation_has_no_torch_and_no_test_tool(metadata):
    base = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    names = {line.split(">")[0].split("[")[0].strip().lower() for line in base}

    assert "onnxruntime" in names
    assert names.isdisjoint({"torch", "transformers", "onnx", "pytest", "hypothesis", "ruff", "mypy"})


def test_the_distribution_cannot_be_published_by_mistake(metadata):
    assert "Private :: Do Not Upload" in metadata.get_all("Classifier")
    assert metadata["License-Expression"] == "Apache-2.0"


def test_the_wheel_installs_the_command(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]

    assert "tonalog = tonalog.__main__:main" in wheel.read(name).decode()


@pytest.mark.parametrize("folder", [*ROOMS, *OTHERS])
def test_every_file_says_what_it_is_for_and_is_short_enough_to_read(folder):
    texts = {name_of(path): path.read_text() for path in (ROOT / folder).rglob("*.py")}

    assert [name for name, text in texts.items() if not ast.get_docstring(ast.parse(text))] == []
    assert [name for name, text in texts.items() if text.count("\n") > MAX_LINES] == []


def test_no_file_hides_a_module_of_another():
    assert len(SOURCES) > 500
    assert [name_of(path) for path in SOURCES if path.stem in TAKEN_NAMES] == []


@pytest.mark.parametrize("path", [path for path in MODULES if has_examples(path)], ids=name_of)
def test_the_examples_in_docstrings_are_true(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))

    ran = doctest.testmod(module)

    assert ran.attempted > 0
    assert ran.failed == 0


def test_what_coverage_leaves_out_is_left_out_in_processes_of_any_folder():
    left_out = PROJECT["tool"]["coverage"]["run"]["omit"]

    # Without the star a pattern is read from the process's own working folder, and counts as never run from another.
    assert left_out
    assert [pattern for pattern in left_out if not pattern.startswith("*/")] == []
    assert all((ROOT / pattern.removeprefix("*/")).is_file() for pattern in left_out)
