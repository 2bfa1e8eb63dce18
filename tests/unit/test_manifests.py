"""Manifests and sidecars: each line counts, or the message says which does not."""

import doctest
import io

import pytest

from storage import general_names, layouts, manifests, sidecars, statements
from storage.manifests import ManifestError, read_manifest
from storage.sidecars import read_sidecar
from storage.statements import Statement, of_metadata


@pytest.mark.parametrize(
    "module", [general_names, layouts, manifests, sidecars, statements], ids=lambda module: module.__name__
)
def test_examples_in_docstrings_hold(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def read(text: str | bytes, name: str = "manifest.csv", base: str = ""):
    return read_manifest(io.BytesIO(text if isinstance(text, bytes) else text.encode()), name=name, base=base)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("key,subject,recorded_at,zone,tenant\na/1.ogg,ana,2026-03-02,Europe/Berlin,clinic\n", "manifest.csv"),
        ("\ufeffKey;Subject;Recorded-At;Zone;Tenant\r\na/1.ogg;ana;2026-03-02;Europe/Berlin;clinic\r\n", "m.csv"),
        ('key\tsubject\trecorded_at\tzone\ttenant\n"a/1.ogg"\tana\t2026-03-02\tEurope/Berlin\tclinic', "x.txt"),
        ('tenant,zone,recorded_at,subject,key\n\nclinic,Europe/Berlin,2026-03-02,"ana","./a/1.ogg"\n', "manifest.csv"),
        (
            (
                '{"key": "a/1.ogg", "subject": "ana", "recorded_at": "2026-03-02", "zone": "Europe/Berlin", '
                '"tenant": "clinic"}\n\n'
            ),
            "manifest.jsonl",
        ),
    ],
)
def test_a_manifest_says_who_when_where_and_whose(text, name):
    row = read(text, name).row_of("a/1.ogg")

    assert (row.subject, row.recorded_at, row.zone, row.tenant) == ("ana", "2026-03-02", "Europe/Berlin", "clinic")


def test_blank_cells_say_nothing_and_missing_columns_neither():
    assert read("key,subject,zone\na.ogg, ,\n").row_of("a.ogg") == Statement(place="manifest.csv line 2")
    assert read("key\na.ogg\n").row_of("b.ogg") is None


def test_keys_may_be_whole_or_begin_at_the_folder_that_the_manifest_is_for():
    found = read("key,subject\n2026/a.ogg,ana\nb.ogg,ben\n", base="2026/")

    assert found.row_of("2026/a.ogg").subject == "ana"
    assert found.row_of("2026/b.ogg").subject == "ben"


def test_lines_of_recordings_that_are_not_there_are_known():
    found = read('key,subject\na.ogg,ana\n"two\nlines.ogg",x\nc.ogg,y\n')
    found.row_of("a.ogg")

    assert found.unused_lines() == [3, 5]


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("", "manifest.csv", "line 1: no column 'key'"),
        ("subject\nana\n", "manifest.csv", "line 1: no column 'key'"),
        ("key,person\na,b\n", "manifest.csv", "line 1: unknown column 'person'; allowed are key, subject"),
        ("key,key\na,b\n", "manifest.csv", "line 1: column 'key' stands there twice"),
        ("key,subject\na.ogg,ana\n,ben\n", "manifest.csv", "line 3: there is no key"),
        ("key,subject\na.ogg,ana\na.ogg,ben\n", "manifest.csv", "line 3: line 2 is about the same recording"),
        ("key,subject\na.ogg,ana\n2026/a.ogg,ben\n", "manifest.csv", "line 3: line 2 is about the same recording"),
        ("key,subject\na.ogg,ana,x\n", "manifest.csv", "line 2: 3 cells for 2 columns"),
        ('key,subject\na.ogg,"ana\n', "manifest.csv", "line 2: unexpected end of data"),
        (b"key,subject\na.ogg,an\xe9\n", "manifest.csv", "not UTF-8"),
        ('{"key": "a.ogg", "who": "ana"}\n', "manifest.jsonl", "line 1: unknown field 'who'"),
        ('{"key": "a.ogg"}\n[1]\n', "manifest.jsonl", "line 2: no object"),
        ('{"key": "a.ogg"\n', "manifest.jsonl", "line 1: no JSON"),
        ('{"key": "a.ogg", "subject": ["ana"]}\n', "manifest.jsonl", "line 1: holds a value that is neither"),
        ('{"key": "a.ogg"}\n{"subject": "ana"}\n', "manifest.jsonl", "line 2: there is no key"),
        ("[" * 100_000, "manifest.jsonl", "line 1: no JSON"),
    ],
)
def test_a_manifest_that_would_lose_a_line_is_refused_with_its_number(text, name, message):
    with pytest.raises(ManifestError, match=message):
        read(text, name, base="2026/")


def test_a_sidecar_says_who_when_where_and_whose_and_may_hold_more():
    content = (
        b'\xef\xbb\xbf{"subject": "ana", "recorded_at": 1772439300, "zone": null, "tenant": "t", "text": ["hello"]}'
    )

    assert read_sidecar(content) == Statement("ana", "1772439300", None, "t", place="sidecar")


@pytest.mark.parametrize("content", [b"{", b"\xff", b'{"subject": 1.5}', b'{"subject": ["ana"]}', b"[" * 100_000])
def test_a_sidecar_that_cannot_be_read_says_so(content):
    assert read_sidecar(content).problem is not None


def test_a_sidecar_that_is_a_document_of_another_kind_says_nothing():
    assert read_sidecar(b'[{"start": 0}]') == Statement(place="sidecar")


def test_metadata_may_name_the_zone_in_two_ways():
    assert of_metadata({"zone": "Europe/Berlin", "Tenant": "clinic"}).zone == "Europe/Berlin"
    assert of_metadata({"Time-Zone": "Europe/Berlin"}).zone == "Europe/Berlin"
