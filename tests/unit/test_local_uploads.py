"""An upload into a folder is seen whole or not at all, and leads out of the folder by no link."""

import pytest

from storage.errors import StorageError
from storage.local import LocalStore
from storage.local_uploads import LocalUpload, TooManyBytes, remove_left_over

KEY = "uploads/1/note.ogg"


def listed(folder):
    return [item.key for page in LocalStore(folder).list_objects() for item in page]


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def begin(folder, *, max_bytes=100):
    return LocalUpload(folder.resolve(), KEY, max_bytes=max_bytes)


def test_no_listing_shows_an_upload_before_it_is_whole(tmp_path):
    with begin(tmp_path) as file:
        file.write(b"so")
        file.write(b"und")
        assert listed(tmp_path) == []
        file.settle(b"{}")
        assert listed(tmp_path) == []
        file.show()

    assert listed(tmp_path) == [KEY, f"{KEY}.json"]
    assert (tmp_path / KEY).read_bytes() == b"sound"


def test_an_upload_that_ends_early_leaves_nothing(tmp_path):
    with pytest.raises(TooManyBytes), begin(tmp_path, max_bytes=4) as file:
        file.write(b"sound")

    assert names_in(tmp_path / "uploads") == []


def test_what_is_there_is_not_replaced(tmp_path):
    for content in (b"first", b"second"):
        with begin(tmp_path) as file:
            file.write(content)
            file.settle(b"{}")
            if content == b"first":
                file.show()
            else:
                with pytest.raises(StorageError):
                    file.show()

    assert (tmp_path / KEY).read_bytes() == b"first"


def test_no_link_leads_elsewhere(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "uploads").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StorageError):
        begin(tmp_path / "notes").__enter__()

    assert names_in(tmp_path / "elsewhere") == []


def test_what_a_killed_process_left_is_removed_once_it_is_old_and_nothing_else(tmp_path):
    with begin(tmp_path) as file:
        file.write(b"sound")
        file.settle(b"{}")
        file.show()
    left = begin(tmp_path)
    left.__enter__()

    assert remove_left_over(tmp_path, ["uploads"], older_than_s=60) == 0
    assert remove_left_over(tmp_path, ["uploads"], older_than_s=-1) == 1
    assert remove_left_over(tmp_path, ["none"], older_than_s=-1) == 0
    assert names_in(tmp_path / "uploads") == ["1"]
    left.__exit__(None, None, None)
