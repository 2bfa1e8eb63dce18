"""Commands of the pages run as they stand, in their order; what does not run here is listed with the reason."""

import shutil

import pytest
from command import NOTES, ROOT, Cli
from pages import PAGES, SERVICES, add_new_bundle, list_commands, name_page

# Pages whose commands another test runs.
ELSEWHERE = {
    "README.md": "test_readme.py",
    "docs/api.md": "test_api_page.py",
    "docs/exports.md": "test_exports_page.py",
    "docs/operations.md": "test_operations_doc.py",
    "docs/reports.md": "test_reports_page.py",
}
# On a database with recordings that nobody has scored, some of people of two names; and on one where README.md has run.
BEFORE_SCORING = ("docs/reprocess.md", "docs/naming.md", "docs/one-machine.md", "docs/ingestion.md", "deploy/README.md")
AFTER_README = ("docs/models.md", "docs/compare-and-drift.md", "docs/erasure.md", "docs/troubles.md", "docs/runbook.md")
# The beginning of what runs nowhere as it stands -> why.
NOT_RUN = {
    **{f"{name} ": "runs until it is stopped; test_compose.py starts and stops it" for name in SERVICES},
    "scan --inventory s3://": "reads a list that the reader's S3 has written; test_inventory.py has such lists",
    "train ": "needs torch and corpora: `make test-train`",
    "evaluate ": "needs torch and corpora: `make test-train`",
    "bundle ": "needs torch: `make test-train`",
    "score --model models/paper-0.1.0": "a model that the reader has trained",
}


def of_tonalog(name):
    return [command.words[1:] for command in list_commands(ROOT / name) if command.words[:1] == ("tonalog",)]


def find_reason(words):
    """The beginning under which a command is listed as not run, or None."""
    return next((start for start in NOT_RUN if f"{' '.join(words)} ".startswith(start)), None)


@pytest.fixture(scope="module")
def unscored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unscored")
    shutil.copytree(NOTES, folder / "examples" / "notes")
    for person in ("user-17", "anna", "Ana"):
        (folder / "notes" / person).mkdir(parents=True)
        shutil.copy(NOTES / "vera" / "2026-03-06.mp3", folder / "notes" / person / "2026-03-06.mp3")
    add_new_bundle(folder)
    run = Cli(folder, {"TONALOG_STORAGE_URL": str(folder / "notes")}, cwd=folder)
    run("db", "upgrade")
    run("scan")
    return run


@pytest.fixture(scope="module")
def scored(tmp_path_factory, updated):
    folder = tmp_path_factory.mktemp("scored")
    shutil.copytree(updated.folder, folder, dirs_exist_ok=True)
    return Cli(folder, cwd=folder)


def run_page(run, name):
    ran = [words for words in of_tonalog(name) if not find_reason(words)]
    assert ran
    for words in ran:
        done = run.ask(*words)
        if done.returncode == 2 and words[0] in ("doctor", "status"):  # there is no worker here, and jobs wait for one
            assert "no live worker" in done.stdout
        else:
            assert done.returncode == 0, (words, done.stdout, done.stderr)


@pytest.mark.parametrize("name", BEFORE_SCORING)
def test_commands_of_a_page_run_where_nothing_is_scored_yet(unscored, name):
    run_page(unscored, name)


@pytest.mark.parametrize("name", AFTER_README)
def test_commands_of_a_page_run_where_two_versions_have_scored(scored, name):
    run_page(scored, name)


def test_a_command_runs_here_or_elsewhere_or_is_listed_with_a_reason():
    run = {*BEFORE_SCORING, *AFTER_README, *ELSEWHERE}
    left = {
        (name_page(page), *words)
        for page in PAGES
        for words in of_tonalog(name_page(page))
        if name_page(page) not in run
    }
    every = [words for page in PAGES for words in of_tonalog(name_page(page))]

    assert [words for words in left if not find_reason(words[1:])] == []
    assert set(NOT_RUN) - {find_reason(words) for words in every} == set(), "listed, and on no page"


@pytest.mark.parametrize("name", ELSEWHERE)
def test_the_test_that_runs_a_page_reads_it(name):
    source = (ROOT / "tests" / "system" / ELSEWHERE[name]).read_text(encoding="utf-8")

    assert name.rpartition("/")[2] in source
