"""Bundles that travel: stored by their hash, fetched whole or not at all, kept in a bounded cache, hidden from scans."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import soundfile

from config.settings import Settings
from db import models
from db.reasons import JobState, Reason
from storage.errors import StorageDenied
from storage.local import LocalStore
from storage.protocol import MemoryStore
from tests.unit.bundles import make_graph, write_bundle
from tests.unit.sounds import RATE_HZ, make_voice
from tests.unit.test_worker_tasks import Place
from tonalog.session import open_database, register_bundle, register_tried, store_bundle
from worker import runtime, tasks
from worker.bundle_cache import MAX_BUNDLES, keep_copy, read_copy
from worker.bundle_store import BundleStore
from worker.scoring.bundle_files import BundleError, hash_files, read_files


@pytest.fixture
def files(tmp_path):
    return read_files(write_bundle(tmp_path / "tiny"))


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    file = tmp_path_factory.mktemp("voice") / "voice.wav"
    soundfile.write(file, make_voice(3.0), RATE_HZ)
    return file.read_bytes()


@pytest.fixture(params=["memory", "folder"])
def store(request, tmp_path):
    (tmp_path / "store").mkdir()
    kept = MemoryStore() if request.param == "memory" else LocalStore(tmp_path / "store")
    return BundleStore(kept, prefix="team/models", place="the place")


def test_what_is_stored_comes_back_by_its_hash_and_storing_it_again_changes_nothing(store, files):
    sha256 = store.put(files)

    assert sha256 == hash_files(files)
    assert store.fetch(sha256) == files
    assert store.put(files) == sha256
    assert store.fetch("0" * 64) is None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.onnx", b"another", "other files than were registered"),
        ("MODEL_CARD.md", b"other words", "other files than were registered"),
        ("more.bin", b"", "holds .'more.bin'., allowed are"),
    ],
)
def test_a_stored_bundle_that_was_changed_is_refused_until_it_is_stored_again(store, files, name, content, message):
    sha256 = store.put(files)
    store._store.put(store._key(sha256, name), content)

    with pytest.raises(BundleError, match=message):
        store.fetch(sha256)

    store.put(files)
    assert store.fetch(sha256) == files


def test_a_bundle_of_which_a_file_is_missing_is_refused(store, files):
    sha256 = store.put(files)
    store._store.delete(store._key(sha256, "manifest.json"))

    with pytest.raises(BundleError, match=r"lacks .'manifest.json'."):
        store.fetch(sha256)


def test_what_is_removed_is_gone_and_leaves_no_folder_of_its_own(store, files, tmp_path):
    sha256 = store.put(files)

    assert store.remove(sha256) == len(files)

    assert not store.has(sha256)
    assert store.remove(sha256) == 0
    assert not list((tmp_path / "store").rglob(sha256))


def test_a_scan_of_the_place_that_holds_the_store_sees_no_bundle(store, files):
    store.put(files)
    store._store.put("team/models/anna.wav", b"sound")

    for prefix in ("", "team/", "team/models"):
        assert [stored.key for page in store._store.list_objects(prefix) for stored in page] == ["team/models/anna.wav"]


def test_the_store_may_not_be_a_file_or_a_folder_that_is_not_there(tmp_path):
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(StorageDenied, match=r"TONALOG_BUNDLES=.* is a file"):
        BundleStore.of(Settings.read(home=tmp_path, bundles=str(tmp_path / "file")))
    with pytest.raises(StorageDenied, match="there is no folder"):
        BundleStore.of(Settings.read(home=tmp_path, bundles=str(tmp_path / "none")))


def test_a_copy_that_was_damaged_is_no_copy(tmp_path, files):
    cache, sha256 = tmp_path / "cache", hash_files(files)
    keep_copy(cache, sha256, files)
    assert read_copy(cache, sha256) == files

    (cache / sha256 / "model.onnx").write_bytes(b"half")

    assert read_copy(cache, sha256) is None
    assert read_copy(cache, sha256) is None
    keep_copy(cache, sha256, files)
    assert read_copy(cache, sha256) == files


def test_processes_that_keep_and_read_copies_at_once_see_whole_ones_only(tmp_path, files):
    cache, sha256 = tmp_path / "cache", hash_files(files)

    def work(_):
        found = read_copy(cache, sha256)
        keep_copy(cache, sha256, files)
        return found

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(40)))

    assert all(one in (None, files) for one in found)
    assert [copy.name for copy in cache.iterdir()] == [sha256]


def test_the_cache_keeps_the_latest_used_and_forgets_what_was_abandoned(tmp_path, files):
    cache = tmp_path / "cache"
    hashes = [str(n) * 64 for n in range(MAX_BUNDLES + 1)]
    for n, sha256 in enumerate(hashes[:-1]):
        keep_copy(cache, sha256, files)
        os.utime(cache / sha256, (n, n))
    (cache / ".new-0123").mkdir()
    os.utime(cache / ".new-0123", (0, 0))

    keep_copy(cache, hashes[-1], files)

    assert sorted(copy.name for copy in cache.iterdir()) == hashes[1:]


def test_a_bundle_that_cannot_be_kept_stops_nobody(tmp_path, files, caplog):
    (tmp_path / "cache").write_text("a file in the way")

    keep_copy(tmp_path / "cache", hash_files(files), files)

    assert "no copy of a bundle is kept" in caplog.text


def test_a_worker_whose_folders_hold_no_bundle_scores_with_the_stored_one(tmp_path, voice):
    place = Place(tmp_path)
    store_bundle(runtime.current().settings, place.model, place.bundle)
    shutil.rmtree(place.bundle)
    place.add("a.wav", voice)

    tasks.score(1)

    assert place.job().state == JobState.DONE


def test_a_folder_that_was_changed_is_passed_over_for_the_stored_bundle(tmp_path, voice, caplog):
    place = Place(tmp_path)
    store_bundle(runtime.current().settings, place.model, place.bundle)
    write_bundle(place.bundle, make_graph(constant=[0.7, 0.1, 0.1, 0.1]))
    place.add("a.wav", voice)

    tasks.score(1)

    assert place.job().state == JobState.DONE
    assert "the stored one is used" in caplog.text


@pytest.mark.parametrize(
    ("what", "reason", "detail"),
    [
        ("missing", Reason.MODEL_UNAVAILABLE, "`tonalog models add DIR` stores it there"),
        ("wrong", Reason.MODEL_UNAVAILABLE, "other files than were registered"),
        ("unreachable", Reason.STORAGE_DENIED, "there is no folder"),
    ],
)
def test_a_job_waits_for_a_stored_bundle_that_is_missing_wrong_or_out_of_reach(tmp_path, voice, what, reason, detail):
    folder = tmp_path / "bundles"
    folder.mkdir()
    place = Place(tmp_path, bundles=str(folder))
    settings = runtime.current().settings
    store_bundle(settings, place.model, place.bundle)
    if what == "missing":
        BundleStore.of(settings).remove(place.model.bundle_sha256)
    elif what == "wrong":
        (folder / ".bundles" / place.model.bundle_sha256 / "model.onnx").write_bytes(b"another")
    else:
        folder.rename(tmp_path / "elsewhere")
    shutil.rmtree(place.bundle)
    place.add("a.wav", voice)

    tasks.score(1)

    job = place.job()
    assert (job.state, job.reason, job.failures) == (JobState.PENDING, reason, 0)
    assert detail in job.detail


def test_a_process_holds_no_more_versions_than_it_may(tmp_path):
    place = Place(tmp_path, models_in_memory=2)
    here = runtime.current()
    registered = [place.model]
    for n in (2, 3):
        folder = write_bundle(tmp_path / f"tiny-{n}", version=f"0.0.{n}")
        registered.append(register_bundle(place.engine, folder))
    for model in registered:
        here.scorer_of(model)
    assert list(here._scorers) == [model.id for model in registered[1:]]

    here.scorer_of(registered[1])
    here.scorer_of(registered[0])

    assert list(here._scorers) == [registered[1].id, registered[0].id]


def test_models_add_stores_what_it_registered_and_does_the_rest_where_storing_failed(tmp_path):
    settings = Settings.read(home=tmp_path / "home", bundles=str(tmp_path / "bundles"))
    engine = open_database(settings)
    folder = write_bundle(tmp_path / "tiny")
    with pytest.raises(StorageDenied):
        register_tried(engine, settings, folder)
    (model,) = models.list_models(engine)
    (tmp_path / "bundles").mkdir()

    assert register_tried(engine, settings, folder) == model

    assert BundleStore.of(settings).fetch(model.bundle_sha256) == read_files(folder)


def test_a_bundle_that_changed_between_trial_and_store_is_not_stored(tmp_path):
    place = Place(tmp_path)
    write_bundle(place.bundle, uncertain_below=0.1)

    with pytest.raises(BundleError, match="was changed while it was registered"):
        store_bundle(runtime.current().settings, place.model, place.bundle)
