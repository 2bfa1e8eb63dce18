"""A bundle folder holds plain files of bounded size, and its one hash tells every other bundle from it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from config.settings import SHIPPED_MODELS
from tests.unit.bundles import write_bundle
from worker.scoring.bundle import BundleError, load_bundle
from worker.scoring.bundle_files import MAX_FILES, MAX_MODEL_BYTES, MAX_TEXT_BYTES, hash_files, read_files

NAMES = ("manifest.json", "model.onnx", "MODEL_CARD.md", "LICENSE")


def make_link(path: Path) -> None:
    target = path.with_name("NOTICE.target")
    target.write_text("{}", encoding="utf-8")
    path.symlink_to(target)


def make_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path is at most 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


ODD: dict[str, Callable[[Path], None]] = {
    "a FIFO": os.mkfifo,
    "a link": make_link,
    "a folder": Path.mkdir,
    "a socket": make_socket,
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_regular_file_is_refused_at_once_by_its_kind(tmp_path: Path, name: str, kind: str) -> None:
    folder = write_bundle(tmp_path / "b")
    (folder / name).unlink(missing_ok=True)
    ODD[kind](folder / name)

    with pytest.raises(BundleError, match=rf"{name} is {kind}, allowed are regular files"):
        load_bundle(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_a_device_is_refused(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path)
    try:
        os.mknod(folder / "LICENSE", 0o020666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("this container makes no devices")

    with pytest.raises(BundleError, match="LICENSE is a device, allowed are regular files"):
        load_bundle(folder)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_over_its_limit_is_refused_unread(tmp_path: Path, name: str) -> None:
    folder = write_bundle(tmp_path)
    limit = MAX_MODEL_BYTES if name == "model.onnx" else MAX_TEXT_BYTES
    (folder / name).touch()
    os.truncate(folder / name, 1 << 40)  # sparse

    with pytest.raises(BundleError, match=rf"{name} has {1 << 40} bytes, allowed are {limit}"):
        load_bundle(folder)


def test_a_folder_of_more_files_than_a_bundle_has_is_refused(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path)
    for n in range(MAX_FILES):
        (folder / f"LICENSE.{n}").touch()

    with pytest.raises(BundleError, match=f"holds more than {MAX_FILES} files"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["LICENSE\x1b[2J", "NOTICE\n", "LICENSE" + "x" * 81, "licence"])
def test_a_licence_text_of_another_name_is_refused_and_its_name_spelt_out(tmp_path: Path, name: str) -> None:
    folder = write_bundle(tmp_path)
    (folder / name).touch()

    with pytest.raises(BundleError, match="allowed are") as refused:
        load_bundle(folder)
    assert str(refused.value).isprintable()


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    write_bundle(tmp_path / "tiny-0.0.1")
    (tmp_path / "current").symlink_to("tiny-0.0.1")

    assert load_bundle(tmp_path / "current").sha256 == load_bundle(tmp_path / "tiny-0.0.1").sha256


def test_a_bundle_hash_is_of_every_name_and_every_byte_and_of_no_order() -> None:
    files = {"manifest.json": b"{}", "model.onnx": b"onnx", "MODEL_CARD.md": b"# card", "LICENSE": b"text"}
    others = [
        {**files, "LICENSE": b"texts"},
        {**files, "LICENSE": b""},
        {**files, "NOTICE": b""},
        {("NOTICE" if name == "LICENSE" else name): content for name, content in files.items()},
        {name: content for name, content in files.items() if name != "LICENSE"},
        {**files, "LICENSE": files["MODEL_CARD.md"], "MODEL_CARD.md": files["LICENSE"]},
        {**files, "LICENSE": b"textMODEL_CARD.md# card"},
    ]

    assert hash_files(dict(reversed(files.items()))) == hash_files(files)
    assert len({hash_files(each) for each in (files, *others)}) == len(others) + 1


def test_a_shipped_bundle_is_what_its_folder_and_its_card_call_it() -> None:
    folders = [path.parent for path in SHIPPED_MODELS.glob("*/manifest.json")]

    assert folders
    for folder in folders:
        manifest = load_bundle(folder).manifest
        card = read_files(folder)["MODEL_CARD.md"].decode("utf-8")
        assert folder.name == f"{manifest.name}-{manifest.version}"
        assert f"{manifest.name} {manifest.version}" in card
