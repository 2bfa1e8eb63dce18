"""S3 Inventory in place of a listing: what is read, what is refused, and that only what the bucket holds is registered."""

import csv
import gzip
import io
import json
from datetime import UTC, datetime
from hashlib import md5
from urllib.parse import quote_plus

import pyarrow as pa
import pytest
from db_samples import add_active_model, count, new_sqlite
from pyarrow import parquet

from config.settings import Settings
from db import recordings
from scheduler.naming import Naming
from scheduler.scan import scan
from storage.errors import StorageDenied
from storage.inventory import InventoriedStore, read_inventory
from storage.inventory_rows import InventoryError
from storage.objects import StoredObject
from storage.open import open_inventory
from storage.protocol import MemoryStore
from storage.sorted_runs import sort_objects

COLUMNS = ("Bucket", "Key", "VersionId", "IsLatest", "IsDeleteMarker", "Size", "LastModifiedDate", "ETag")
PARQUET = ("bucket", "key", "version_id", "is_latest", "is_delete_marker", "size", "last_modified_date", "e_tag")
AT = datetime(2026, 1, 1, tzinfo=UTC)
MANIFEST = "inv/voice/2026/manifest.json"
NAMING = Naming(pattern="notes/{subject}/{any}", time_zone="UTC")


def a_row(key, tag="e", *, is_latest=True, is_marker=False, size=9):
    return ("voice", key, "v1", is_latest, is_marker, size, AT, tag)


def csv_file(rows, columns=COLUMNS):
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    for row in rows:
        said = dict(zip(COLUMNS, row, strict=True)) | {
            "Key": quote_plus(row[1]),
            "LastModifiedDate": "2026-01-01T00:00:00.000Z",
        }
        writer.writerow([str(said[name]).lower() if isinstance(said[name], bool) else said[name] for name in columns])
    return gzip.compress(text.getvalue().encode())


def parquet_file(rows, columns=PARQUET):
    table = pa.table({name: [row[PARQUET.index(name)] for row in rows] for name in columns})
    file = io.BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()


def put_inventory(store, *files, written="CSV", columns=COLUMNS, **others):
    named = []
    for number, content in enumerate(files):
        key = f"inv/voice/data/{number}"
        store.put(key, content)
        named.append({"key": key, "size": len(content), "MD5checksum": md5(content).hexdigest()})
    document = {"sourceBucket": "voice", "destinationBucket": "arn:aws:s3:::lists", "version": "2016-11-30"}
    document |= {"fileFormat": written, "fileSchema": ", ".join(columns), "files": named} | others
    content = json.dumps(document).encode()
    store.put(MANIFEST, content)
    return content


@pytest.fixture
def lists():
    return MemoryStore("lists")


@pytest.fixture
def voice():
    return MemoryStore("voice")


@pytest.fixture
def engine(tmp_path):
    engine = new_sqlite(tmp_path)
    add_active_model(engine)
    return engine


def listed(lists, voice, prefix=""):
    store = InventoriedStore(voice, read_inventory(lists, MANIFEST))
    return [item for page in store.list_objects(prefix) for item in page]


ROWS = [
    a_row("notes/b c+ü.ogg", "e2"),
    a_row("notes/a.ogg", "e1"),
    a_row("notes/a.ogg", "e0", is_latest=False),
    a_row("notes/gone.ogg", "", is_marker=True),
    a_row("notes/.hidden/a.ogg"),
    a_row("other/a.ogg"),
]


@pytest.mark.parametrize(("written", "make"), [("CSV", csv_file), ("Parquet", parquet_file)])
def test_the_current_objects_of_all_files_come_in_key_order(lists, voice, written, make):
    put_inventory(lists, make(ROWS), make([a_row("notes/0.ogg")]), written=written)

    found = listed(lists, voice, "notes/")

    assert [item.key for item in found] == ["notes/0.ogg", "notes/a.ogg", "notes/b c+ü.ogg"]
    assert found[1] == StoredObject("notes/a.ogg", "e1", 9, AT, None)


def test_a_list_without_versions_needs_no_word_on_which_is_the_latest(lists, voice):
    columns = ("Bucket", "Key", "Size", "LastModifiedDate", "ETag")
    put_inventory(lists, csv_file([a_row("notes/a.ogg")], columns), columns=columns)
    assert [item.key for item in listed(lists, voice)] == ["notes/a.ogg"]


@pytest.mark.parametrize("column", ["Size", "ETag", "LastModifiedDate", "Bucket", "Key", "IsLatest", "IsDeleteMarker"])
def test_a_column_that_is_missing_is_named(lists, voice, column):
    columns = tuple(name for name in COLUMNS if name != column)
    put_inventory(lists, csv_file(ROWS, columns), columns=columns)
    with pytest.raises(InventoryError, match=f"no column {column}: add it"):
        listed(lists, voice)
    plain = tuple(name for name, spelt in zip(PARQUET, COLUMNS, strict=True) if spelt != column)
    put_inventory(lists, parquet_file(ROWS, plain), written="Parquet")
    with pytest.raises(InventoryError, match="no column"):
        listed(lists, voice)


def test_a_file_that_is_not_the_one_of_the_manifest_is_refused(lists, voice):
    put_inventory(lists, csv_file(ROWS))
    lists.put("inv/voice/data/0", csv_file(ROWS[:1]))
    with pytest.raises(InventoryError, match=r"MD5 .* but the manifest says"):
        listed(lists, voice)


def test_the_checksum_beside_the_manifest_is_held_against_it(lists, voice):
    content = put_inventory(lists, csv_file(ROWS[:1]))
    beside = MANIFEST.replace(".json", ".checksum")
    lists.put(beside, md5(content).hexdigest().encode() + b"\n")
    assert len(listed(lists, voice)) == 1
    lists.put(beside, b"0" * 32)
    with pytest.raises(InventoryError, match="is not what"):
        listed(lists, voice)


@pytest.mark.parametrize(
    ("others", "match"),
    [
        ({"fileFormat": "ORC"}, "format is 'ORC'; CSV and Parquet are read"),
        ({"files": None}, "is no manifest"),
        ({"files": [{"key": "a"}]}, "is no manifest"),
        ({"sourceBucket": "elsewhere"}, "lists the bucket 'elsewhere', and recordings are in 'voice'"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_why(lists, voice, others, match):
    put_inventory(lists, csv_file(ROWS), **others)
    with pytest.raises(InventoryError, match=match):
        listed(lists, voice)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"no gzip", "no gzipped CSV file after line 0"),
        (csv_file(ROWS)[:-30], "no gzipped CSV file"),
        (gzip.compress(b'"voice","a"\n'), "line 1: 2 columns; the manifest names 8"),
        (csv_file([("other", *a_row("a")[1:])]), "in the bucket 'other', not in 'voice'"),
        (csv_file([a_row("a", size=-1)]), "line 1: key, size, ETag or time"),
        (csv_file([a_row("a", size="x")]), "line 1: key, size, ETag or time"),
        (csv_file([a_row("a", "")]), "empty"),
        (csv_file([a_row("k" * 1025)]), "out of range"),
    ],
    ids=range(8),
)
def test_a_row_or_file_that_cannot_be_read_ends_the_scan_with_its_place(lists, voice, content, match):
    put_inventory(lists, content)
    with pytest.raises(InventoryError, match=match):
        listed(lists, voice)


def test_a_parquet_file_that_is_none_is_said(lists, voice):
    put_inventory(lists, b"PAR1 no", written="Parquet")
    with pytest.raises(InventoryError, match="no Parquet file"):
        listed(lists, voice)


def test_only_what_the_bucket_holds_now_is_registered_and_the_next_listing_changes_nothing(lists, voice, engine):
    tag = voice.put("notes/ana/a.ogg", b"sound", uploaded_at=AT).version_tag
    beside = voice.put("notes/ana/a.ogg.json", b'{"recorded_at": "2026-03-02"}', uploaded_at=AT)
    newer = voice.put("notes/ana/replaced.ogg", b"newer", uploaded_at=AT)
    voice.put("notes/ana/since.ogg", b"since", uploaded_at=AT)
    rows = [
        a_row("notes/ana/gone.ogg"),
        a_row("notes/ana/a.ogg.json", beside.version_tag, size=beside.size_bytes),
        a_row("notes/ana/replaced.ogg", "old"),
    ]
    put_inventory(lists, csv_file([*rows, a_row("notes/ana/a.ogg", tag)]))
    store = InventoriedStore(voice, read_inventory(lists, MANIFEST))

    seen = scan(engine, store, prefix="notes/", naming=NAMING)

    assert (seen.n_listed, seen.n_new, count(engine, "recordings")) == (3, 2, 2)
    (found,) = recordings.find(engine, "notes/ana/a.ogg")
    assert (found.subject, found.local_day.isoformat()) == ("ana", "2026-03-02")
    assert recordings.find(engine, "notes/ana/replaced.ogg")[0].version_tag == newer.version_tag
    again = scan(engine, voice, prefix="notes/", naming=NAMING)
    assert (again.n_new, again.n_corrected) == (1, 0)
    assert scan(engine, store, prefix="notes/", naming=NAMING).n_new == 0


def test_what_would_write_through_an_inventory_is_refused_and_the_bucket_stays(lists, voice):
    voice.put("notes/ana/1.wav", b"sound")
    put_inventory(lists, csv_file(ROWS))
    store = InventoriedStore(voice, read_inventory(lists, MANIFEST))

    for write in (
        lambda: store.put("a.wav", b""),
        lambda: store.delete("notes/ana/1.wav"),
        lambda: store.erase("notes/ana/1.wav"),
    ):
        with pytest.raises(NotImplementedError, match="only reads"):
            write()
    assert voice.head("notes/ana/1.wav").size_bytes == 5


def test_more_objects_than_a_run_holds_are_sorted_on_disk():
    keys = [f"{number * 7919 % 1000:03}" for number in range(1000)]
    made = [StoredObject(key, "e", 1, AT, None) for key in keys]
    found = list(sort_objects(made, n_run=9))  # more runs than are merged at once
    assert found == sorted(made, key=lambda item: item.key)


def test_an_inventory_is_for_s3_only(voice):
    with pytest.raises(StorageDenied, match="for recordings on S3"):
        open_inventory(Settings(), "s3://lists/inv/manifest.json", voice)
