"""Whatever people, keys, labels and messages are called, a command shows it as it is and obeys none of it."""

import json
import os
import pty
import re
import select
import subprocess
import sys

import pytest
from db_samples import a_model, a_recording, a_result, new_sqlite, take
from sqlalchemy import update

from config.plain_text import exact, printable
from db import jobs, ledger, models, pump, recordings
from db.reasons import Lane, Reason
from db.schema import EMOTIONS
from db.schema import attempts as attempts_table
from db.schema import models as models_table
from tonalog.__main__ import main

HOSTILE = {
    "closes a tag": "[/x]eve",
    "opens a tag": "[bold red]eve",
    "links": "[link=https://example.org]eve[/link]",
    "emoji": ":skull: eve",
    "clears the screen": "eve\x1b[2J",
    "names the window": "eve\x1b]0;ana\x07",
    "C1": "eve\x9b31m",
    "writes a line": "eve\n2026-03-01 ERROR ana",
    "turns around": "\u202eeve",
    "isolates": "\u2066eve\u2069",
    "has no width": "e\u200bve",
    "joins": "e\u200dve",
    "soft hyphen": "e\u00adve",
    "varies": "eve\ufe0f",
    "fills": "eve\u3164",
    "blank": "eve\u00a0",
    "braille blank": "eve\u2800",
    "tags": "eve\U000e0061",
    "composed": "\u00e9ve",
    "decomposed": "e\u0301ve",
    "singleton": "\u212bve",
    "spelt out": r"\u202eeve",
    "spelt out twice": r"\\u202eeve",
    "everything": "[/x][bold red]\x1b[2J\x9b31m\u202ee\u200b\u3164\ufe0f\nve\U000e0061",
    "plain": "eve",
}
UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00a0\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]"
)
STYLE = re.compile("\x1b\\[[0-9;]*m")  # bold and italic, which are ours


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """The bytes of a filled database, which each test has a copy of."""
    folder = tmp_path_factory.mktemp("filled")
    engine = new_sqlite(folder)
    fill(engine)
    engine.dispose()  # with the last connection what is in the log beside the file goes into the file
    return (folder / "tonalog.db").read_bytes()


@pytest.fixture
def engine(filled, tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("TONALOG_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("TONALOG_HOME", str(home))
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    engine = new_sqlite(home)
    (home / "tonalog.db").write_bytes(filled)
    return engine


def fill(engine):
    """One recording of each name under a model of such names: half of them scored, half of them dead."""
    model = models.add_model(engine, a_model("1.0", labels=(*EMOTIONS, "fear")))
    models.activate(engine, model.id)
    found = [a_recording(f"{name}/{n:02}.wav", subject=name, tenant=name) for n, name in enumerate(HOSTILE.values())]
    recordings.register(engine, found)
    jobs.create_jobs(engine, model.id, lane=Lane.NIGHTLY)
    for n, (job_id, _) in enumerate(pump.due_jobs(engine, cap_outstanding=99, limit=99)):
        claim = take(engine, job_id)
        if n % 2:
            ledger.fail_dead(engine, claim, Reason.NOT_AUDIO, detail=f"begins with {claim.recording.subject}")
        else:
            ledger.finish(engine, claim, a_result())
    with engine.begin() as connection:
        # A bundle and a host can be called so only by whoever writes into the database.
        connection.execute(update(models_table).values(name="[/x]\x1b[2J\u202em"))
        connection.execute(update(attempts_table).values(worker="[/x]\x1b[2J\u202eh"))


@pytest.fixture
def tonalog(engine, monkeypatch, capsys):
    """Runs the command in this process; gives all that was printed."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["tonalog", *map(str, arguments)])
        with pytest.raises(SystemExit):
            main()
        printed = capsys.readouterr()
        return printed.out + printed.err

    return call


def all_words(tmp_path):
    """Every command that prints, with names where it takes one."""
    of_each = [
        words
        for name in (HOSTILE["everything"], HOSTILE["closes a tag"])
        for words in (
            ["show", name],
            ["show", f"{name}/00.wav"],
            ["trends", name, "--tenant", name],
            ["erase", "--subject", name, "--dry-run"],
            ["reprocess", "--model", "1.0", "--subject", name, "--dry-run"],
            ["subjects", "rename", name, "x", "--tenant", name, "--dry-run"],
            ["models", "activate", name],
            ["models", "add", tmp_path / "no" / name.replace("\x00", "")],
            ["score", tmp_path / name],
            ["identify", tmp_path / name],
            ["scan", tmp_path / name],
            ["retry", "--reason", name],
            [name],
            ["show", f"--{name}"],
        )
    ]
    return [
        ["subjects", "list"],
        ["models", "list"],
        ["status"],
        ["dead"],
        ["settings"],
        ["retention", "--older-than", "1d"],
        *of_each,
    ]


def test_no_command_prints_what_a_terminal_would_hide_or_obey(tonalog, tmp_path):
    for words in all_words(tmp_path):
        printed = tonalog(*words)

        assert printed, words
        assert not UNSEEN.search(printed), (words, printed)
        assert "Traceback" not in printed, (words, printed)


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_name_is_shown_as_it_is(tonalog, name):
    n = list(HOSTILE.values()).index(name) + 1

    printed = tonalog("show", n)

    assert printed.startswith(f"{exact(f'{name}/{n - 1:02}.wav')} (recording {n}, live)\n")
    assert f"\nperson: {exact(name)} (from " in printed


def test_no_two_people_look_like_one(tonalog):
    lines = tonalog("subjects", "list").splitlines()

    shown = [line.split("  ")[0].strip() for line in lines if line.startswith(" ") and " 1 " in line]
    assert len(shown) == len(set(shown)) == len(HOSTILE)
    assert sorted(shown) == sorted(map(exact, HOSTILE.values()))


def test_json_is_json_and_holds_the_names_themselves(tonalog):
    found = json.loads(tonalog("subjects", "list", "--json"))
    dead = json.loads(tonalog("dead", "--json"))

    assert sorted(one["subject"] for one in found) == sorted(HOSTILE.values())
    assert {one["detail"].removeprefix("begins with ") for one in dead} <= set(HOSTILE.values())
    assert json.loads(tonalog("show", "--help") and tonalog("status", "--json"))["dead"]


@pytest.mark.parametrize(
    "words",
    [
        *(["subjects", "list"], ["status"], ["show", "4"]),
        *(pytest.param(words, marks=pytest.mark.long) for words in (["dead"], ["show", "3"], ["models", "list"])),
    ],
)
def test_a_terminal_gets_no_sequences_but_those_of_our_own_styles(engine, words):
    printed = on_a_terminal([sys.executable, "-m", "tonalog", *words])

    assert not UNSEEN.search(STYLE.sub("", printed).replace("\r\n", "\n")), printed
    assert set(STYLE.findall(printed)) <= {"\x1b[0m", "\x1b[1m", "\x1b[3m", "\x1b[1;3m"}


def test_a_bar_shows_what_a_fold_or_file_is_called_as_it_is():
    code = """
from tonalog.screen import new_progress
with new_progress("{task.description}", "{task.fields[audio]}", "bar") as bar:
    task = bar.add_task("[/x]\\x1b[2J\\u202eeve", total=2, audio="\\x1b]0;ana\\x07")
    bar.update(task, description="fold\\x1b[2J\\u202e[bold]eve", completed=1)
"""
    printed = on_a_terminal([sys.executable, "-c", code])

    shown = re.sub("\x1b\\[[0-9;?]*[mKhlA]", "", printed)  # styles, and the cursor that goes back to the line's start
    assert not UNSEEN.search(shown.replace("\r", ""))
    assert r"fold\x1b[2J\u202e[bold]eve \x1b]0;ana\x07" in shown


def on_a_terminal(command):
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "200"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        printed = b""
        while process.poll() is None or select.select([ours], [], [], 0)[0]:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    printed += os.read(ours, 65536)
                except OSError:  # the other end is closed
                    break
    os.close(ours)
    return printed.decode()


@pytest.mark.parametrize(
    "name", ["नमस्ते", "دانيال", "José", "Łukasz", "李小龍", "Ünal-1", "김철수", "ana@example.org", "👩"]
)
def test_a_sound_name_is_left_alone(name):
    assert printable(name) == exact(name) == name


def test_an_error_that_nobody_foresaw_commands_no_terminal_either(engine):
    script = """
import sys
from tonalog import __main__, cli
def fail(**_):
    raise RuntimeError(sys.argv[1])
cli.cli.main = fail
__main__.main()
"""
    done = subprocess.run([sys.executable, "-c", script, "\x1b[2J\u202e"], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.endswith("RuntimeError: \\x1b[2J\\u202e\n")
    assert not UNSEEN.search(done.stderr)
