"""`make docs`: every page is in the menu, every link and anchor leads somewhere, and pages fetch nothing from elsewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from command import ROOT

PROGRAMS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    variables = [f"VENV={PROGRAMS.parent}", f"DOCS={folder / 'pages'}", f"SITE={folder / 'site'}"]
    # -o: the environment that runs this test is good enough, however old its stamp.
    done = subprocess.run(
        ["make", "-o", f"{PROGRAMS.parent}/.test", "docs", *variables],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def menu(entries):
    for entry in entries:
        for where in entry.values():
            yield from menu(where) if isinstance(where, list) else [where]


def test_every_page_is_in_the_menu(site):
    (nav,) = re.findall(r"^nav:\n(.+)", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE | re.DOTALL)
    pages = {str(path.relative_to(site / "pages")) for path in (site / "pages").rglob("*.md")}

    assert set(menu(yaml.safe_load(nav))) == pages
    assert len(list((site / "site").rglob("index.html"))) == len(pages)


def test_a_page_fetches_nothing_from_elsewhere(site):
    for page in (site / "site").rglob("*.html"):
        fetched = re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"?(https?:[^\s\">]+)", page.read_text())
        assert [where for where in fetched if "canonical" not in where] == [], page


def test_the_citation_is_of_this_release():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())

    assert f'version = "{citation["version"]}"' in (ROOT / "pyproject.toml").read_text()
    assert citation["license"] == "Apache-2.0"


@pytest.mark.parametrize("template", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda p: p.name)
def test_an_issue_template_asks_for_no_recording(template):
    form = yaml.safe_load(template.read_text())

    assert {"name", "description", "body"} <= set(form)
    assert "recording of a person" in template.read_text()
