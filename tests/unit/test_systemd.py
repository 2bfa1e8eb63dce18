"""deploy/systemd, held against the commands of tonalog, the guide and systemd's own judgement; no service is started."""

import re
import shutil
import subprocess

import pytest
from command import ROOT
from known_commands import check_command

from config.settings import Settings

FOLDER = ROOT / "deploy" / "systemd"
CONFINED = FOLDER / "tonalog-.service.d" / "confined.conf"
SERVICES = sorted(path.stem for path in FOLDER.glob("tonalog-*.service"))
GUIDE = (ROOT / "docs" / "one-machine.md").read_text()
PROGRAM = "/opt/tonalog/bin/tonalog"
MOST_EXPOSED = 2.0  # of 10; an ordinary service has 9.6
analyze = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(analyze is None, reason="no systemd-analyze: apt-get install systemd")


def lines_of(unit, key):
    """Every value of a key, in order."""
    return re.findall(rf"^{key}=(.*)$", (FOLDER / unit).read_text(), re.MULTILINE)


def read_environment(path):
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}


@pytest.fixture(scope="module")
def units(tmp_path_factory):
    """The units as on a machine on which Tonalog is installed: the program is one that exists."""
    folder = tmp_path_factory.mktemp("units")
    shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
    for path in folder.glob("*.service"):
        path.write_text(path.read_text().replace(PROGRAM, "/bin/true"))
    return folder


def ask_systemd(units, *words):
    found = sorted(path.name for path in units.iterdir() if path.suffix in {".service", ".timer", ".target"})
    environment = {"SYSTEMD_UNIT_PATH": f"{units}:", "PATH": "/usr/bin:/bin"}
    command = [
        analyze,
        *words,
        *(f"./{name}" for name in found if "security" not in words or name.endswith(".service")),
    ]
    done = subprocess.run(command, cwd=units, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_units(units):
    code, printed = ask_systemd(units, "verify")

    assert (code, [line for line in printed.splitlines() if str(units) in line or "tonalog" in line]) == (0, [])


@needs_systemd
def test_systemd_finds_every_service_confined(units):
    code, printed = ask_systemd(
        units, "security", "--offline=true", f"--threshold={MOST_EXPOSED * 10:.0f}", "--no-pager"
    )

    exposed = dict(re.findall(r"exposure level for ([\w-]+)\.service: ([\d.]+)", printed))
    assert code == 0, exposed
    assert set(exposed) == {*SERVICES, "backup-tonalog"}
    assert max(map(float, exposed.values())) <= MOST_EXPOSED


@needs_systemd
def test_a_service_that_is_not_confined_would_be_found(units):
    (units / "tonalog-.service.d" / "confined.conf").rename(units / "aside")
    try:
        code, _ = ask_systemd(units, "security", "--offline=true", f"--threshold={MOST_EXPOSED * 10:.0f}", "--no-pager")
    finally:
        (units / "aside").rename(units / "tonalog-.service.d" / "confined.conf")

    assert code != 0


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_runs_a_command_that_tonalog_has(name):
    (command,) = lines_of(f"{name}.service", "ExecStart")
    program, *words = command.split()

    assert (program, words[0]) == (PROGRAM, name.removeprefix("tonalog-"))
    check_command(words)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_started_again_and_stopped_with_its_target(name):
    assert lines_of(CONFINED, "Restart") == ["always"]
    assert lines_of(CONFINED, "StartLimitIntervalSec") == ["0"]
    assert lines_of(f"{name}.service", "PartOf") == ["tonalog.target"]
    assert lines_of(f"{name}.service", "Restart") == []


@pytest.mark.parametrize("name", SERVICES)
def test_only_webhooks_reach_another_machine(name):
    expected = ([], []) if name == "tonalog-webhooks" else (["any"], ["localhost"])

    assert (lines_of(f"{name}.service", "IPAddressDeny"), lines_of(f"{name}.service", "IPAddressAllow")) == expected


def test_a_worker_may_finish_its_note_and_writes_into_no_recordings():
    assert lines_of("tonalog-worker.service", "TimeoutStopSec") == ["5min"]
    assert lines_of("tonalog-worker.service", "ReadWritePaths") == []


def test_recordings_can_be_decoded_since_memory_for_callbacks_is_allowed():
    """With MemoryDenyWriteExecute= every WAV ends as MEMORY: soundfile reads by callbacks of cffi."""
    assert lines_of(CONFINED, "MemoryDenyWriteExecute") == []


def test_the_settings_of_the_example_are_allowed():
    given = read_environment(FOLDER / "tonalog.env")

    settings = Settings(**{name.removeprefix("TONALOG_").lower(): value for name, value in given.items()})

    assert settings.storage_url == "/srv/voice-notes"
    assert lines_of("tonalog-scheduler.service", "ReadWritePaths") == [f"-{settings.storage_url}"]


def test_a_shell_reads_the_example_as_systemd_does():
    script = f". {FOLDER / 'tonalog.env'}; env"
    done = subprocess.run(["/bin/sh", "-ac", script], env={}, capture_output=True, text=True, check=True)

    told = dict(line.split("=", 1) for line in done.stdout.splitlines() if line.startswith("TONALOG_"))
    assert told == read_environment(FOLDER / "tonalog.env")


@pytest.mark.parametrize("line", re.findall(r"^tonalog ([^#\n]+)", GUIDE, re.MULTILINE))
def test_every_command_of_the_guide_is_one_that_tonalog_has(line):
    check_command(line.split())


def test_the_guide_starts_every_service_and_copies_files_that_are_there():
    units = set(
        re.findall(r"\b((?:backup-)?tonalog(?:-\w+)?(?:\.timer)?)\b", " ".join(re.findall(r"enable --now (.+)", GUIDE)))
    )

    assert {*SERVICES, "backup-tonalog.timer"} <= units
    for pattern in set(re.findall(r"deploy/systemd/\S+", GUIDE)):
        assert list(ROOT.glob(pattern.rstrip("/"))), pattern
