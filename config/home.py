"""The home folder: it holds people's scores and the queue, so it is made for its owner and refused where others may write."""

from __future__ import annotations

import logging
import os
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from config.settings import SettingsError

_log = logging.getLogger(__name__)
_ROOT = 0
# SQLite's MAX_PATHNAME of 512, less the name of a journal beside the file; found by trying (SQLite 3.40).
_MAX_DATABASE_BYTES = 504
# Linux takes paths of 4,095 bytes; below its folder a message has a name of about 90.
_MAX_QUEUE_BYTES = 3_900


def prepare_home(home: Path, *, folders: Sequence[str], database: Path | None) -> None:
    """Make the home folder and what is to be in it.

    A home that was there may be readable by others, and writable by its group. One that everybody may write, or that
    belongs to somebody else, is refused where it is to hold the database or the queue: whoever writes there could change
    scores and jobs. What we make in it is for its owner only, whatever the umask says.

    Args:
        home: the folder; may be reached through a link.
        folders: to be made below it, each after the one that it lies in; none of them may be a link.
        database: a file to be made in it; None: the database is elsewhere.

    Raises:
        SettingsError: one of them cannot be made, is something else, or is refused.
    """
    if database is not None:
        _check_length(
            database, "SQLite takes", _MAX_DATABASE_BYTES, hint=" or a database elsewhere with TONALOG_DATABASE_URL"
        )
    if folders:
        _check_length(home, "the file queue takes", _MAX_QUEUE_BYTES)
    try:
        _make_home(home)
        if folders or database is not None:
            _check_owner(home)
            keeps_modes = _check_mode(home)
            for name in folders:
                _make_folder(home / name, checks_mode=keeps_modes)
        if database is not None:
            with suppress(FileExistsError):
                os.close(os.open(database, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        at = error.filename or home
        raise SettingsError(
            f"The home folder {str(home)!r} cannot be used ({at}: {error.strerror}): "
            "give a folder where this user may write, with TONALOG_HOME."
        ) from error


def _check_length(path: Path, who: str, limit_bytes: int, *, hint: str = "") -> None:
    n_bytes = len(os.fsencode(path.absolute()))
    if n_bytes > limit_bytes:
        raise SettingsError(
            f"The path {str(path)!r} has {n_bytes} bytes, {who} {limit_bytes} at most: "
            f"give a shorter one with TONALOG_HOME{hint}."
        )


def _make_home(home: Path) -> None:
    for parent in reversed(home.parents):
        if not parent.exists():  # by itself, mkdir would open them to everybody where the umask is 0
            parent.mkdir(mode=0o755, exist_ok=True)
    home.mkdir(mode=0o700, exist_ok=True)


def _check_owner(home: Path) -> None:
    owner = home.stat().st_uid
    # Root in a container works in folders of its host's users, and can do with them what it wants in any case.
    if os.geteuid() not in {_ROOT, owner} and owner != _ROOT:
        raise SettingsError(
            f"The home folder {str(home)!r} belongs to the user {owner}, who could change scores and jobs: "
            "give a folder of this user's own, with TONALOG_HOME."
        )


def _check_mode(folder: Path) -> bool:
    """Refuse a folder that everybody may write; say whether its file system keeps modes at all."""
    if not _mode(folder) & stat.S_IWOTH:
        return True
    if not _keeps_modes(folder):
        _log.warning("the home folder's file system keeps no permissions")
        return False
    raise SettingsError(_open_to_all(folder))


def _open_to_all(folder: Path) -> str:
    return (
        f"The home folder {str(folder)!r} may be written by everybody (mode {_mode(folder):04o}), who could change scores "
        f"and jobs: run `chmod o-w` on it, or give a folder of this user's own, with TONALOG_HOME."
    )


def _keeps_modes(folder: Path) -> bool:
    """Whether a folder that is made for its owner only is so; on vfat, or a Windows drive under WSL, it is not."""
    probe = Path(tempfile.mkdtemp(dir=folder, prefix=".probe-"))
    try:
        return not _mode(probe) & stat.S_IWOTH
    finally:
        probe.rmdir()


def _mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


def _make_folder(folder: Path, *, checks_mode: bool) -> None:
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if folder.is_symlink() or not folder.is_dir():
        raise SettingsError(f"{str(folder)!r} is a link or a file where a folder of ours belongs: remove it.")
    if checks_mode and _mode(folder) & stat.S_IWOTH:
        raise SettingsError(_open_to_all(folder))
