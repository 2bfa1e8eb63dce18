"""The home folder holds people's scores and the queue: only its user may write there, whatever the umask says."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from config import home as home_module
from config.queues import prepare_folders
from config.settings import Settings, SettingsError
from tonalog.errors import TonalogError
from tonalog.local_worker import LocalWorker

NOBODY = 65_534


def modes_below(folder: Path) -> dict[str, str]:
    """Mode of a folder and of all in it, by path."""
    return {
        str(path.relative_to(folder.parent)): oct(stat.S_IMODE(path.lstat().st_mode))
        for path in [folder, *folder.rglob("*")]
    }


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_what_is_made_belongs_to_its_user_alone_whatever_the_umask(tmp_path, umask):
    home = tmp_path / "new" / "home"

    prepare_folders(Settings(home=home))

    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o755 & ~umask
    assert modes_below(home) == {
        "home": "0o700",
        "home/tonalog.db": "0o600",
        "home/queue": "0o700",
        "home/queue/control": "0o700",
        "home/queue/messages": "0o700",
        "home/queue/moved": "0o700",
    }


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702, 0o733])
def test_a_home_in_which_everybody_may_write_is_refused_with_what_to_do(tmp_path, mode):
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(mode)

    with pytest.raises(SettingsError, match=rf"home' .*mode {mode:04o}.*chmod o-w.*TONALOG_HOME"):
        prepare_folders(Settings(home=home))
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o770, 0o775, 0o2775])
def test_a_home_that_a_group_shares_is_taken(tmp_path, mode):
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(mode)

    prepare_folders(Settings(home=home))


def test_a_home_on_a_file_system_without_permissions_is_taken(tmp_path, monkeypatch):
    # vfat, or a Windows drive under WSL: every mode is 0777, and what it says means nothing.
    monkeypatch.setattr(home_module, "_mode", lambda _: 0o777)

    prepare_folders(Settings(home=tmp_path / "home"))


def test_a_home_that_holds_neither_database_nor_queue_may_be_open(tmp_path):
    home = tmp_path / "home"  # Kubernetes makes an emptyDir with the mode 0777
    home.mkdir()
    home.chmod(0o777)

    prepare_folders(Settings(home=home, database_url="postgresql://db/x", broker_url="redis://queue/0"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user for a while")
def test_a_home_of_somebody_else_is_refused():
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        Path(folder).chmod(0o755)
        home = Path(folder) / "home"
        home.mkdir(mode=0o755)
        os.chown(home, NOBODY - 1, NOBODY - 1)
        os.seteuid(NOBODY)
        try:
            with pytest.raises(SettingsError, match=f"belongs to the user {NOBODY - 1}"):
                prepare_folders(Settings(home=home))
        finally:
            os.seteuid(0)


@pytest.mark.parametrize("name", ["queue", "queue/messages", "queue/control", "queue/moved"])
@pytest.mark.parametrize("kind", ["link", "file", "pipe", "open"])
def test_what_is_no_folder_of_ours_in_place_of_the_queues_is_refused(tmp_path, name, kind):
    home, outside = tmp_path / "home", tmp_path / "outside"
    outside.mkdir()
    path = home / name
    path.parent.mkdir(mode=0o700, parents=True)
    if kind == "link":
        path.symlink_to(outside)
    elif kind == "file":
        path.write_bytes(b"")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
        path.chmod(0o777)

    with pytest.raises(SettingsError, match=name):
        prepare_folders(Settings(home=home))
    assert list(outside.iterdir()) == []


def test_a_home_that_is_reached_through_a_link_is_taken(tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "home").symlink_to(tmp_path / "real")

    prepare_folders(Settings(home=tmp_path / "home"))

    assert (tmp_path / "real" / "queue" / "messages").is_dir()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_log_that_cannot_be_written_is_said_and_not_waited_for(tmp_path, make):
    make(tmp_path / "worker.log")

    with pytest.raises(TonalogError, match=r"worker\.log cannot be written"):
        LocalWorker(Settings(home=tmp_path)).__enter__()


def test_a_home_that_is_a_link_to_itself_is_said(tmp_path):
    (tmp_path / "home").symlink_to("home")

    with pytest.raises(SettingsError, match=r"home' cannot be used"):
        prepare_folders(Settings(home=tmp_path / "home"))
