"""What the image is made of: a lock that agrees with pyproject.toml, hashes for all of it, a licence for each part."""

import json
import re
import subprocess
import sys
import tomllib

import pytest
from command import ROOT
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
IN_IMAGE = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["api"]]
LOCKS = {
    "deploy/requirements.lock": IN_IMAGE,
    "deploy/build.lock": PROJECT["build-system"]["requires"],
}
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text().replace("\\\n", " ")
PINNED = re.compile(
    r"^(?P<name>[a-z0-9.-]+)==(?P<version>\S+)(?: ; (?P<marker>[^\\\n]+?))?(?P<rest>(?: \\\n {4}[^\\\n]+)*)$",
    re.MULTILINE,
)


def entries(path):
    """Name -> one locked package: its match, with name, version, marker and rest."""
    return {found["name"]: found for found in PINNED.finditer((ROOT / path).read_text())}


def in_image(found):
    """Whether the image's Python installs it; a marker may name another Python."""
    (version,) = set(re.findall(r"^FROM python:([\d.]+)", DOCKERFILE, re.MULTILINE))
    return not found["marker"] or Marker(found["marker"]).evaluate(
        {"python_version": version, "python_full_version": f"{version}.0", "sys_platform": "linux"}
    )


@pytest.mark.parametrize(("path", "wanted"), LOCKS.items())
def test_the_lock_holds_what_the_project_asks_for_in_a_version_that_it_allows(path, wanted):
    locked = entries(path)

    for line in wanted:
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        assert name in locked, f"{line}: run `make lock`"
        assert requirement.specifier.contains(locked[name]["version"], prereleases=True), f"{line}: run `make lock`"


def test_the_lock_holds_nothing_that_the_project_asks_for_no_more():
    text = (ROOT / "deploy" / "requirements.lock").read_text()
    direct = {name for name, found in entries("deploy/requirements.lock").items() if "tonalog (py" in via(text, found)}

    assert direct == {canonicalize_name(Requirement(line).name) for line in IN_IMAGE}


def via(text, found):
    """The comment under an entry: who asks for it."""
    return re.match(r"(?:\n {4}# .*)*", text[found.end() :])[0]


@pytest.mark.parametrize("path", LOCKS)
def test_every_locked_package_is_one_version_of_known_hashes_from_no_named_place(path):
    text = (ROOT / path).read_text()
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith(("#", "--hash=sha256:"))]

    assert len(entries(path)) == len(lines)
    for found in entries(path).values():
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", found["rest"]), found["name"]
    assert "://" not in text
    assert "--index" not in text


def test_the_image_installs_nothing_that_no_lock_knows():
    installs = re.findall(r"pip (?:install|wheel|download) [^&\n]+", DOCKERFILE)

    assert len(installs) == 4
    for command in installs:
        is_locked = "--require-hashes --only-binary=:all: --requirement deploy/" in command
        assert is_locked or "--no-index --no-deps" in command, command


def test_every_locked_package_of_the_image_is_in_the_list_of_licences():
    page = (ROOT / "deploy" / "LICENCES.md").read_text()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"]
    listed = {canonicalize_name(name): (version, licence) for name, version, licence in rows[2:]}

    for name, found in entries("deploy/requirements.lock").items():
        if in_image(found):
            assert name in listed, f"{name}: run `make licences`"
            version, licence = listed[name]
            assert (version, licence) != (version, "UNKNOWN"), name
            assert version == found["version"], f"{name}: run `make licences`"
    assert set(listed) <= set(entries("deploy/requirements.lock"))


def audited(**packages):
    """A report of pip-audit 2.10 on these packages."""
    return json.dumps({"dependencies": [{"name": name, **said} for name, said in packages.items()], "fixes": []})


FINE = {"version": "1.0", "vulns": []}
WEAK = {"version": "1.0", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["1.1"]}]}
SKIPPED = {"skip_reason": "Dependency not found and could not be audited"}


@pytest.mark.parametrize(
    ("report", "status", "said"),
    [
        (audited(a=FINE, b=FINE), 0, "none of 2 packages has a known weakness"),
        (audited(a=FINE, b=WEAK, c=SKIPPED), 1, "b 1.0: PYSEC-2026-1, fixed in 1.1"),
        (audited(a=FINE, b=SKIPPED), 3, "NOT DONE, 1 of 2 packages could not be looked up"),
        (audited(), 3, "NOT DONE"),
        ("", 3, "NOT DONE, the database of weaknesses could not be asked"),
    ],
)
def test_an_audit_that_asked_nobody_is_never_taken_for_a_clean_one(report, status, said):
    judge = [sys.executable, ROOT / "deploy" / "audit.py"]
    done = subprocess.run(judge, input=report, capture_output=True, text=True, check=False)

    assert done.returncode == status
    assert said in done.stdout
