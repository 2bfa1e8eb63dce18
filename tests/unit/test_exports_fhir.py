"""FHIR Observations are valid R4, have every score, and say why there is none."""

import json
from datetime import date, datetime

import pytest
from api_samples import fill
from db_samples import MONDAY, a_recording, add_active_model, days_later, new_sqlite, scores
from export_samples import UNUSUAL, export, keep_person
from fhir.resources.R4B.codesystem import CodeSystem
from fhir.resources.R4B.observation import Observation

from db import recordings
from exports.fhir import SYSTEM
from exports.write import Format


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def lines(folder):
    return [json.loads(line) for line in (folder / "Observation.ndjson").read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def written(engine, tmp_path):
    fill(engine)
    keep_person(engine)
    export(engine, tmp_path / "out", Format.FHIR)
    return {int(found["identifier"][0]["value"]): found for found in lines(tmp_path / "out")}


def amounts(observation):
    parts = {part["code"]["coding"][0]["code"]: part for part in observation["component"]}
    return {code: part["valueQuantity"]["value"] for code, part in parts.items() if "valueQuantity" in part}


def test_every_note_is_a_valid_observation(written, tmp_path):
    assert sorted(written) == list(range(1, 9))
    for found in written.values():
        assert json.loads(Observation.model_validate(found).model_dump_json())["id"] == found["id"]
    CodeSystem.model_validate_json((tmp_path / "out" / "CodeSystem.json").read_text())


def test_an_observation_has_each_score_the_time_on_the_recorders_clock_and_the_model(written):
    found = written[1]

    assert {name: value for name, value in amounts(found).items() if name in scores()} == scores()
    assert found["valueCodeableConcept"]["coding"][0] == {
        "system": SYSTEM,
        "code": "sadness",
        "display": "sadness expressed in the voice",
    }
    assert found["effectiveDateTime"].endswith("+01:00")
    assert datetime.fromisoformat(found["effectiveDateTime"]) == MONDAY
    assert found["device"] == {"reference": "#model"}
    (device,) = found["contained"]
    assert (device["deviceName"][0]["name"], device["version"][0]["value"]) == ("whisper3", "1.0")
    assert found["subject"]["identifier"] == {"system": "urn:tonalog:subject:default", "value": "anna"}


def test_what_is_unusual_for_the_person_stands_beside_it(written):
    assert {label: amounts(written[4])[f"relative-{label}"] for label in UNUSUAL} == UNUSUAL
    assert not [name for name in amounts(written[1]) if name.startswith("relative-")]


def test_a_note_without_scores_says_why_and_has_no_value(written):
    absent = {n: written[n].get("dataAbsentReason") for n in written}

    assert absent[2]["coding"][0]["code"] == "not-applicable"
    assert (absent[3]["coding"][0]["code"], absent[3]["text"]) == ("error", "NOT_AUDIO")
    assert absent[1] is None
    assert all("valueCodeableConcept" not in written[n] for n in (2, 3))


def test_a_time_is_as_exact_as_it_is_known(engine, tmp_path):
    day = date(2026, 3, 2)
    add_active_model(engine)
    recordings.register(
        engine,
        [
            a_recording("a", recorded_at=days_later(0), recorded_at_precision="day", utc_offset_min=60, local_day=day),
            a_recording("b"),
        ],
    )

    export(engine, tmp_path / "out", Format.FHIR)

    known, unknown = lines(tmp_path / "out")
    assert known["effectiveDateTime"] == "2026-03-02"
    assert unknown["_effectiveDateTime"]["extension"][0]["valueCode"] == "unknown"
    assert (known["status"], known["dataAbsentReason"]["coding"][0]["code"]) == ("registered", "temp-unknown")
    for found in (known, unknown):
        Observation.model_validate(found)


def test_every_code_of_an_observation_is_in_the_code_system(written, tmp_path):
    system = json.loads((tmp_path / "out" / "CodeSystem.json").read_text())
    known = {concept["code"] for concept in system["concept"]}
    concepts = [part["code"] for found in written.values() for part in found.get("component", [])]
    concepts += [
        found[name] for found in written.values() for name in ("code", "valueCodeableConcept") if name in found
    ]

    assert {concept["coding"][0]["code"] for concept in concepts} <= known
    assert system["count"] == len(known) == len(system["concept"])


def test_no_word_says_that_it_is_a_state_of_mind(written, tmp_path):
    text = "".join(path.read_text() for path in (tmp_path / "out").iterdir()).lower()

    assert "state of mind" not in text
    assert "not a diagnosis" in text
