"""`tonalog evaluate left-out` on tiny corpora that speak: scored as serving does, once, and told apart by role."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from tests.unit.bundles import LABELS, make_graph, write_bundle
from tests.unit.corpus_trees import write_listed_set
from tests.unit.left_out_trees import FSDD, write_emodb, write_ordinary, write_signal
from tests.unit.sounds import make_noise, make_silence, make_voice
from tests.unit.test_pipeline import make_siren
from tonalog.cli import cli
from tonalog.errors import TonalogError
from training.bundle.credits import LOOKED_AT
from training.studies.left_out.trained import list_trained
from trends import MIDDLE_MIX, Baseline, BaselineRule, Reference, make_middle_mix_rule, write_baseline
from worker.scoring.bundle import BundleError, load_bundle
from worker.scoring.pipeline import score_recording
from worker.scoring.scorer import Scorer

GATE = {"output": "speech", "threshold": 0.5}
NEUTRAL = [0.1, 0.1, 0.7, 0.1]
GAINS = [1.0, 1.5, 3.0, 8.0]  # of voices with each label: the tiny graph hears energy


@pytest.fixture
def bundle(tmp_path):
    return write_bundle(tmp_path / "tiny-0.0.1", make_graph(constant=NEUTRAL))


@pytest.fixture
def emodb(tmp_path):
    return write_emodb(tmp_path / "emodb")


def run(tmp_path, *arguments, workers=1):
    done = CliRunner().invoke(
        cli,
        ["evaluate", "left-out", *map(str, arguments), "--out", str(tmp_path / "out"), "--workers", str(workers)],
    )
    if done.exception is not None:
        raise done.exception
    return done.output


def read_report(tmp_path, place=0):
    return json.loads((tmp_path / "out" / "left_out.json").read_text())["bundles"][place]


def read_kept(tmp_path):
    (path,) = (tmp_path / "out" / "cache").glob("scores-*.jsonl")
    return path, [json.loads(line) for line in path.read_text().splitlines()]


def test_every_recording_has_the_scores_that_serving_gives(tmp_path, emodb):
    bundle = write_bundle(tmp_path / "energy")
    run(tmp_path, bundle, f"emodb={emodb}")

    scorer = Scorer(load_bundle(bundle))
    expected = set()
    for path in emodb.iterdir():
        with path.open("rb") as file:
            expected.add(tuple(score_recording(file, scorer).scores.values()))
    assert {tuple(row["scores"]) for row in read_kept(tmp_path)[1]} == expected
    assert len(expected) == 8


def test_two_processes_give_what_one_gives(tmp_path, emodb):
    bundle = write_bundle(tmp_path / "energy")
    run(tmp_path, bundle, f"emodb={emodb}")
    alone = read_report(tmp_path)
    shutil.rmtree(tmp_path / "out")

    run(tmp_path, bundle, f"emodb={emodb}", workers=2)

    assert read_report(tmp_path) == alone


def test_the_first_line_states_the_protocol_and_the_tables_are_written_too(tmp_path, bundle, emodb):
    printed = run(tmp_path, bundle, f"emodb={emodb}").splitlines()

    assert printed[0].startswith("protocol: ")
    written = (tmp_path / "out" / "left_out.md").read_text().splitlines()
    assert written[0] == printed[0]
    assert set(written) <= set(printed)
    assert any(line.startswith("| EmoDB |") for line in written)


def test_a_bundle_that_always_says_neutral_has_the_recalls_of_that(tmp_path, bundle, emodb):
    run(tmp_path, bundle, f"emodb={emodb}")

    (row,) = read_report(tmp_path)["labelled"]
    assert row["recalls"] == {"anger": 0.0, "happiness": 0.0, "neutral": 1.0, "sadness": 0.0}
    assert (row["n"], row["n_speakers"], row["n_unscored"], row["recall"]) == (8, 2, 0, 0.25)
    assert (row["coverage"], row["error"]) == (1.0, 0.75)
    assert row["calibration_error"] == pytest.approx(0.7 - 0.25)
    assert row["baseline"] is None


def test_a_repeated_run_takes_what_is_kept(tmp_path, bundle, emodb):
    run(tmp_path, bundle, f"emodb={emodb}")
    path, rows = read_kept(tmp_path)
    changed = [row | {"scores": [0.7, 0.1, 0.1, 0.1]} for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in changed))

    run(tmp_path, bundle, f"emodb={emodb}")

    assert read_report(tmp_path)["labelled"][0]["recalls"]["anger"] == 1.0


def test_an_interrupted_run_goes_on_and_scores_the_line_that_was_cut_off_again(tmp_path, bundle, emodb):
    run(tmp_path, bundle, f"emodb={emodb}")
    whole = read_report(tmp_path)
    path, rows = read_kept(tmp_path)
    path.write_text(path.read_text()[: len(path.read_text()) * 2 // 3])

    run(tmp_path, bundle, f"emodb={emodb}")

    assert read_report(tmp_path) == whole
    assert sorted(row["file"] for row in read_kept(tmp_path)[1]) == sorted(row["file"] for row in rows)


def test_scores_of_another_bundle_and_of_a_changed_recording_are_not_taken(tmp_path, bundle, emodb):
    run(tmp_path, bundle, f"emodb={emodb}")
    angry = write_bundle(tmp_path / "angry", make_graph(constant=[0.7, 0.1, 0.1, 0.1]))

    run(tmp_path, angry, f"emodb={emodb}")
    assert read_report(tmp_path)["labelled"][0]["recalls"]["anger"] == 1.0

    write_signal(emodb / "03a01Wa.wav", make_silence(2.0))
    run(tmp_path, bundle, f"emodb={emodb}")
    assert read_report(tmp_path)["labelled"][0]["n"] == 7


def test_ordinary_speech_without_scores_is_told_apart_by_what_turned_it_away(tmp_path):
    gated = write_bundle(tmp_path / "gated", make_graph(constant=NEUTRAL, gate=True), speech_gate=GATE)
    signals = [
        make_voice(1.0),
        make_voice(3.0, seed=1),
        make_siren(2.0),
        make_siren(1.1),
        make_noise(2.0),
        make_voice(0.4),
    ]
    everyday = tmp_path / "everyday"
    write_ordinary(everyday / "fsdd", signals)

    run(tmp_path, gated, "--everyday", everyday)

    (row,) = read_report(tmp_path)["ordinary"]
    assert row["n_speakers"] == 6
    shares = {"neutral": 1.0, "uncertain": 0.0, "wrong": 0.0}
    assert row["everything"] == {"n": 6, "n_scored": 2, **shares, "vad": 1 / 6, "short": 1 / 6, "gate": 2 / 6}
    assert row["words"] == {"n": 3, "n_scored": 1, **shares, "vad": 0.0, "short": 1 / 3, "gate": 1 / 3}


def test_ordinary_speech_is_no_truth_of_a_recall(tmp_path, bundle, emodb):
    ordinary = write_ordinary(tmp_path / "fsdd", [make_voice(2.0)])

    run(tmp_path, bundle, f"emodb={emodb}", f"fsdd={ordinary}")

    report = read_report(tmp_path)
    assert [row["name"] for row in report["labelled"]] == ["EmoDB"]
    assert [row["name"] for row in report["ordinary"]] == ["fsdd"]
    folder = next((tmp_path / "out").glob("tiny-0.0.1-*"))
    assert [path.name for path in folder.iterdir()] == ["emodb.csv"]


@pytest.mark.parametrize(("n_rated", "n_judged"), [(4, 4), (2, 0)])
def test_a_set_that_is_rated_in_part_is_judged_by_its_parts_where_those_have_every_label(
    tmp_path, bundle, n_rated, n_judged
):
    n_all = n_rated + 1
    root = write_listed_set(
        tmp_path / "mixed", origin="x", speakers=["a"] * n_all, kind="acted", emotions=[*LABELS[:n_rated], "neutral"]
    )
    manifest = root / "manifest.csv"
    *rated, last = manifest.read_text().splitlines()
    manifest.write_text("\n".join([*rated, last.replace("acted", "assumed_neutral")]))
    for place in range(n_all):
        write_signal(root / "audio" / f"{place:03d}.wav", make_voice(2.0, seed=place))

    printed = run(tmp_path, bundle, f"manifest={root}")

    report = read_report(tmp_path)
    assert [row["n"] for row in report["labelled"]] == ([n_judged] if n_judged else [])
    assert [row["everything"]["n"] for row in report["ordinary"]] == [1]
    assert ("Not judged: 2 rated recordings of mixed" in printed) == (n_judged == 0)


@pytest.mark.parametrize("way", ["manifest", "--trained emodb", "--trained EmoDB"])
def test_a_corpus_that_a_bundle_trained_on_is_marked_and_has_no_part_in_the_mean(tmp_path, bundle, emodb, way):
    ordinary = write_ordinary(tmp_path / "fsdd", [make_voice(2.0)])
    if way == "manifest":
        entry = {"name": "EmoDB", "use": "6 trained on, 2 tested on", "licence": "CC0-1.0"}
        bundle = write_bundle(tmp_path / "trained", training={"corpora": [entry]})
    options = way.split() if way != "manifest" else []

    printed = run(tmp_path, bundle, f"emodb={emodb}", f"fsdd={ordinary}", *options)

    assert "| EmoDB (trained on) | 8 |" in printed
    assert "**mean of 0 left out**" in printed
    assert "**mean of 1 left out**" in printed
    assert read_report(tmp_path)["trained_on"] == ["EmoDB"]


def test_what_a_manifest_only_tested_on_was_not_trained_on(tmp_path):
    uses = {
        "A": "3 tested on",
        "B": "none used",
        "C": "start weights",
        "D": "6 trained on, 2 tested on",
        "F": LOOKED_AT,
    }
    corpora = [{"name": name, "use": use} for name, use in uses.items()]
    bundle = write_bundle(tmp_path / "tiny", training={"corpora": [*corpora, {"name": "E"}]})

    assert list_trained(load_bundle(bundle)) == ("C", "D", "E")


def test_two_bundles_stand_side_by_side_over_what_neither_trained_on(tmp_path, bundle, emodb):
    urdu = write_listed_set(
        tmp_path / "urdu", origin="siddiquelatif/URDU-Dataset:", kind="natural_tv", emotions=LABELS, speakers=["a"] * 4
    )
    for place in range(4):
        write_signal(urdu / "audio" / f"{place:03d}.wav", make_voice(2.0, seed=40 + place))
    entry = {"name": "EmoDB", "use": "training of both heads", "licence": "CC0-1.0"}
    after = write_bundle(tmp_path / "after", training={"corpora": [entry]})

    printed = run(tmp_path, bundle, after, f"emodb={emodb}", f"urdu={urdu}")

    table = printed.partition("## Side by side")[2].splitlines()
    assert next(line for line in table if line.startswith("| labelled")).startswith("| labelled | UAR A | UAR B |")
    rows = {line.split(" | ")[0].strip("| "): line.split(" | ")[1:3] for line in table if line.startswith("| ")}
    assert rows["**mean of 1 left out**"] == rows["Urdu"]
    assert "EmoDB (trained on)" in rows
    assert "## A: tiny 0.0.1" in printed
    assert "## B: tiny 0.0.1" in printed


def test_files_of_predictions_are_read_by_evaluate_personal(tmp_path):
    bundle = write_bundle(tmp_path / "energy")
    emodb = write_emodb(tmp_path / "emodb", gains=GAINS)
    run(tmp_path, bundle, f"emodb={emodb}")
    (path,) = (tmp_path / "out").glob("tiny-0.0.1-*/emodb.csv")

    done = CliRunner().invoke(cli, ["evaluate", "personal", f"emodb={path}", "--reference", str(path)])

    assert done.exception is None
    assert "| emodb | even | 3 |" in done.output


@pytest.fixture
def twelve(tmp_path):
    """Corpora of one speaker with twelve recordings, whose energy tells labels apart, and of one with four."""
    root = tmp_path / "emodb"
    for take in "abc":
        part = write_emodb(tmp_path / take, n_speakers=1, gains=GAINS, seed=100 * ord(take))
        for path in sorted(part.iterdir()):
            root.mkdir(exist_ok=True)
            path.rename(root / path.name.replace("a.wav", f"{take}.wav"))
    few = write_listed_set(
        tmp_path / "urdu", origin="siddiquelatif/URDU-Dataset:", kind="acted", emotions=LABELS, speakers=["a"] * 4
    )
    for place in range(4):
        write_signal(few / "audio" / f"{place:03d}.wav", make_voice(2.0, seed=40 + place))
    return [f"emodb={root}", f"urdu={few}"]


def test_with_a_reference_notes_of_people_with_ten_others_have_a_baseline(tmp_path, twelve):
    bundle = write_bundle(tmp_path / "energy")

    printed = run(tmp_path, bundle, *twelve, "--reference", twelve[0])

    report = read_report(tmp_path)
    enough, too_few = (row["baseline"] for row in report["labelled"])
    assert enough["n_judged"] == 12
    assert enough["as_it_is"] == report["labelled"][0]["recall"]
    assert 0.0 <= enough["middle"] <= 1.0
    assert (enough["own"], enough["own_spread"], too_few) == (None, None, None)
    assert report["baseline"]["source"] == "EmoDB"
    assert [rule["version"] for rule in report["baseline"]["rules"]] == [1]
    assert "reference of own baselines: EmoDB" in printed


def test_reference_and_rule_of_a_manifest_take_the_place_of_the_reference_that_is_given(tmp_path, twelve):
    reference = Reference(tuple(LABELS), tuple(map(tuple, (np.eye(4) * 4.5 - 5.0).tolist())))
    weak = BaselineRule(MIDDLE_MIX, max_share=1e-9)
    same, nothing = (
        write_bundle(tmp_path / name, baseline=write_baseline(Baseline(reference, rule)))
        for name, rule in (("same", make_middle_mix_rule()), ("weak", weak))
    )

    printed = run(tmp_path, same, nothing, *twelve, "--reference", twelve[1])

    by_middle, by_nothing = (read_report(tmp_path, place) for place in range(2))
    found, expected = (report["labelled"][0]["baseline"] for report in (by_middle, by_nothing))
    assert (found["own"], found["own_spread"]) == (found["middle"], found["middle_spread"])
    assert expected["own"] == expected["as_it_is"] == found["as_it_is"]
    assert expected["middle"] == found["middle"]
    assert [rule["version"] for rule in by_nothing["baseline"]["rules"]] == [1, 2]
    assert {report["baseline"]["source"] for report in (by_middle, by_nothing)} == {"manifest"}
    assert "its manifest's, with a rule of version 2" in printed


def test_a_reference_that_no_bundle_needs_is_not_scored(tmp_path, twelve):
    baseline = write_baseline(
        Baseline(
            Reference(tuple(LABELS), tuple(map(tuple, (np.eye(4) * 4.5 - 5.0).tolist()))), BaselineRule(MIDDLE_MIX)
        )
    )
    bundle = write_bundle(tmp_path / "energy", baseline=baseline)

    run(tmp_path, bundle, twelve[0], "--reference", twelve[1])

    assert len(read_kept(tmp_path)[1]) == 12
    assert read_report(tmp_path)["baseline"]["reference"] == baseline["reference"]


def test_a_calibration_is_chosen_on_what_the_bundle_did_not_train_on(tmp_path, bundle, emodb):
    urdu = write_listed_set(
        tmp_path / "urdu", origin="siddiquelatif/URDU-Dataset:", kind="natural_tv", emotions=LABELS, speakers=["a"] * 4
    )
    for place in range(4):
        write_signal(urdu / "audio" / f"{place:03d}.wav", make_voice(2.0, seed=40 + place))
    ordinary = write_ordinary(tmp_path / "fsdd", [make_voice(2.0)])
    corpora = [f"emodb={emodb}", f"urdu={urdu}", f"fsdd={ordinary}"]

    printed = run(tmp_path, bundle, *corpora, "--calibrate", "--max-error", "0.8", "--trained", "emodb")

    calibration = read_report(tmp_path)["calibration"]
    assert [row["name"] for row in calibration["inside"]] == ["Urdu", "fsdd"]
    # A quarter is right, and all scores are the same: the flatter they are, the better.
    assert calibration["chosen"]["temperature"] == pytest.approx(np.exp(3.0), abs=0.01)
    assert "at most 0.04 of ordinary speech" in printed
    assert "at most 0.8 of what is labelled with certainty" in printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{bundle}", "emodb={emodb}", "--max-error", "0.2"], ["--max-error 0.2", "--calibrate"]),
        (["{bundle}", "emodb={emodb}", "--calibrate", "--trained", "emodb"], ["0 labelled corpora", "at least 1"]),
        (["{bundle}", "emdb={emodb}"], ["'emdb'", "emodb"]),
        (["{bundle}", "emodb={nothing}"], ["no audio file", "nothing"]),
        (["{bundle}", "ased={emodb}"], ["manifest.csv"]),
        (["{bundle}", "emodb="], ["'emodb='", "NAME=FOLDER"]),
        (["{bundle}", "emodb={emodb}", "emodb={emodb}"], ["each name once"]),
        (["{bundle}"], ["1 bundles and 0 corpora", "NAME=FOLDER"]),
        (["emodb={emodb}"], ["0 bundles and 1 corpora"]),
        (["{bundle}", "emodb={emodb}", "--everyday", "{nothing}"], ["nothing", "holds no set", "manifest.csv"]),
        (["{bundle}", "emodb={emodb}", "--everyday", "{emodb}/none"], ["no folder", "none"]),
        (["{bundle}", "emodb={emodb}", "--everyday", "{odd}"], ["strange", "allowed names are", "fsdd"]),
        (["{bundle}", "emodb={emodb}", "--trained", "emdb"], ["'emdb'", "allowed are emodb, EmoDB"]),
        (["{bundle}", "emodb={emodb}", "--reference", "fsdd={odd}/strange"], ["fsdd is ordinary speech", "labelled"]),
        (["{bundle}", "emodb={emodb}", "--reference", "emodb={emodb}"], ["margin of the reference", "true labels"]),
        (["{bundle}", "emodb={emodb}", "--reference", "emodb"], ["'emodb'", "NAME=FOLDER"]),
        (["{bundle}", "emodb={silent}"], ["no usable recording of EmoDB", "at least 1", "silent"]),
    ],
)
def test_what_cannot_be_judged_is_named_with_what_is_allowed(tmp_path, bundle, emodb, arguments, words):
    places = {name: tmp_path / name for name in ("nothing", "odd", "silent")}
    places["nothing"].mkdir()
    write_ordinary(places["odd"] / "strange", [make_voice(2.0)])
    write_signal(places["silent"] / "03a01Wa.wav", make_silence(1.0))
    filled = [argument.format(bundle=bundle, emodb=emodb, **places) for argument in arguments]

    with pytest.raises(TonalogError) as error:
        run(tmp_path, *filled)

    for word in words:
        assert word in str(error.value)


def test_a_bundle_that_is_not_there_is_named_before_anything_is_read(tmp_path, emodb):
    with pytest.raises(BundleError, match=r"none is not a folder"):
        run(tmp_path, tmp_path / "none", f"emodb={emodb}")

    assert not (tmp_path / "out").exists()


def test_a_set_of_another_name_is_refused(tmp_path, bundle):
    write_listed_set(tmp_path / "everyday" / "fsdd", origin="elsewhere:")

    with pytest.raises(TonalogError, match=rf"allowed is {FSDD}"):
        run(tmp_path, bundle, "--everyday", tmp_path / "everyday")
