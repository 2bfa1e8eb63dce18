"""The active model is there, tried where nobody else tried it, and known by the hash of its whole bundle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from db_samples import new_sqlite, upgrade_to
from sqlalchemy import text

from config.settings import Settings
from db import migrate, models
from db.engine import make_engine
from tests.unit.bundles import make_graph, write_bundle
from tonalog.session import ensure_model, register_bundle
from worker.scoring.bundle import BundleError, load_bundle

BEFORE = "0006"


def test_the_upgrade_keeps_a_model_and_the_next_start_adds_the_hash_of_its_bundle(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'old.db'}")
    upgrade_to(engine, BEFORE)
    folder = write_bundle(tmp_path / "tiny")
    manifest = load_bundle(folder).manifest
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO models (name, version, sha256, labels, manifest, folder, is_active, added_at) "
                "VALUES ('tiny', '0.0.1', :sha256, :labels, :manifest, :folder, 1, '2026-11-02 08:30:00.000000')"
            ),
            {
                "sha256": manifest.sha256,
                "labels": json.dumps(manifest.labels),
                "manifest": json.dumps(manifest.as_document()),
                "folder": str(folder),
            },
        )

    migrate.upgrade(engine)

    before = models.active_model(engine)
    assert before is not None
    assert before.bundle_sha256 is None
    assert ensure_model(engine, Settings.read(home=tmp_path)).bundle_sha256 == load_bundle(folder).sha256


@pytest.mark.parametrize("what", ["gone", "manifest", "model", "another version"])
def test_a_bundle_that_is_no_longer_the_registered_one_gives_no_hash(tmp_path: Path, what: str) -> None:
    engine = new_sqlite(tmp_path)
    folder = write_bundle(tmp_path / "tiny")
    model = models.activate(engine, register_bundle(engine, folder).id)
    with engine.begin() as connection:
        connection.execute(text("UPDATE models SET bundle_sha256 = NULL"))
    if what == "gone":
        folder.rename(tmp_path / "elsewhere")
    elif what == "manifest":
        write_bundle(folder, uncertain_below=0.0)
    elif what == "model":
        write_bundle(folder, make_graph(constant=[0.7, 0.1, 0.1, 0.1]))
    else:
        write_bundle(folder, version="0.0.2")

    found = ensure_model(engine, Settings.read(home=tmp_path))

    assert (found.id, found.bundle_sha256) == (model.id, None)
    assert len(models.list_models(engine)) == 1


def test_a_bundle_of_ones_own_is_tried_before_it_becomes_active(tmp_path: Path) -> None:
    engine = new_sqlite(tmp_path)
    hostile = write_bundle(tmp_path / "tiny", make_graph(constant=[float("nan")] * 4))

    with pytest.raises(BundleError, match="nan"):
        ensure_model(engine, Settings.read(home=tmp_path, model_dir=hostile))

    assert models.list_models(engine) == []
