"""Groups that are alike are not called different, and a gap that was put there is found."""

import json
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
from markdown_it import MarkdownIt

from training.corpora import LABELS
from training.measures import Predictions, write_predictions
from training.measures.__main__ import main
from training.measures.metrics import count_confusion, measure_unweighted_accuracy, trace_risk_coverage
from training.measures.slices import Actor, group_speakers, measure_slices, read_actors
from training.measures.slices.actors import name_age_band
from training.measures.slices.measures import ALL, MIN_SPEAKERS
from training.measures.slices.records import read_slices
from training.measures.slices.text import conclude
from training.measures.slices.writing import write_slices

FEW = 1000  # draws; precision of tails is not what is tested
N_SPEAKERS = 40
GROUPS = {
    "side": {
        "left": frozenset(f"{s:02d}" for s in range(0, N_SPEAKERS, 2)),
        "right": frozenset(f"{s:02d}" for s in range(1, N_SPEAKERS, 2)),
    }
}


def make_predictions(*, skills, n_each=40, seed=0):
    """Random scores of N_SPEAKERS speakers that lean to the truth, by the skill of their side, left and right in turn."""
    rng = np.random.default_rng(seed)
    n = N_SPEAKERS * n_each
    speakers = np.arange(n) % N_SPEAKERS
    truth = np.arange(n) // N_SPEAKERS % len(LABELS)
    lean = np.array(skills)[speakers % 2]
    raised = np.exp(rng.normal(0.0, 1.0, (n, 4)) + lean[:, None] * np.eye(4)[truth])
    return Predictions(
        LABELS,
        np.array([f"u{i}" for i in range(n)]),
        np.array([f"{s:02d}" for s in speakers]),
        np.array([f"fold {s % 5}" for s in speakers]),
        truth,
        raised / raised.sum(axis=1, keepdims=True),
    )


def measure(predictions, *, groups=GROUPS, uncertain_below=0.5, seed=0):
    return measure_slices(predictions, groups, uncertain_below=uncertain_below, seed=seed, n_draws=FEW)


def difference_of(report, measure_name):
    (found,) = (one for one in report.differences if one.measure == measure_name)
    return found


@pytest.mark.parametrize("name", ["UA", "uncertain", "error when certain"])
def test_two_groups_of_the_very_same_scores_differ_by_an_interval_that_covers_0(name):
    predictions = make_predictions(skills=(1.5, 1.5))
    left = np.isin(predictions.speakers, sorted(GROUPS["side"]["left"]))
    twin = predictions.probabilities.copy()
    twin[~left] = predictions.probabilities[left]  # a left speaker's neighbour says just what the left one says

    found = difference_of(measure(replace(predictions, probabilities=twin)), name)

    assert found.value == pytest.approx(0.0, abs=1e-12)
    assert found.interval.low < 0 < found.interval.high
    assert not found.is_clear


def test_a_planted_gap_is_found_and_survives_correction():
    report = measure(make_predictions(skills=(2.5, 1.0)))

    accuracy, doubt = difference_of(report, "UA"), difference_of(report, "uncertain")

    assert accuracy.value > 0.1
    assert accuracy.is_clear_corrected
    assert doubt.value < 0  # the group that is heard worse is called uncertain more often
    assert doubt.is_clear_corrected
    assert "UA, side: left less right" in conclude(report)


def test_groups_of_equal_skill_are_called_different_about_as_seldom_as_promised():
    seeds = range(20)

    clear = [difference_of(measure(make_predictions(skills=(1.5, 1.5), seed=s), seed=s), "UA").is_clear for s in seeds]

    assert sum(clear) <= 4  # 1 expected; more than 4 of 20 has a chance of under 1 % where each has 5 %


def test_a_corrected_interval_holds_the_plain_one():
    for one in measure(make_predictions(skills=(2.0, 1.5))).differences:
        assert one.corrected.low <= one.interval.low <= one.interval.high <= one.corrected.high


def test_at_full_coverage_the_error_is_plain_error():
    predictions = make_predictions(skills=(1.5, 1.0))
    report = measure(predictions, uncertain_below=0.0)
    plain = float((predictions.guess != predictions.truth).mean())

    assert report.whole.figures["error when certain"].value == pytest.approx(plain)
    assert report.whole.figures["uncertain"].value == 0.0


def test_the_figures_of_a_limit_are_those_of_the_curve_of_risk_and_coverage():
    predictions = make_predictions(skills=(1.5, 1.0))
    report = measure(predictions, uncertain_below=0.6)

    for one in report.slices:
        mine = np.isin(predictions.speakers, sorted(GROUPS["side"][one.name]))
        curve = trace_risk_coverage(predictions.probabilities[mine], predictions.truth[mine], np.array([0.6]))
        assert one.figures["uncertain"].value == pytest.approx(1 - curve[0][1])
        assert one.figures["error when certain"].value == pytest.approx(curve[0][2])


def test_ua_of_a_group_is_that_of_its_utterances_alone():
    predictions = make_predictions(skills=(1.5, 1.0))
    report = measure(predictions)

    for one in report.slices:
        mine = np.isin(predictions.speakers, sorted(GROUPS["side"][one.name]))
        table = count_confusion(predictions.truth[mine], predictions.guess[mine], len(LABELS))
        assert one.figures["UA"].value == pytest.approx(measure_unweighted_accuracy(table))
        assert one.figures["UA"].value == pytest.approx(np.mean(list(one.recalls.values())))
        assert one.figures["UA"].interval.low <= one.figures["UA"].value <= one.figures["UA"].interval.high


def test_the_groups_of_an_attribute_hold_everybody_once():
    report = measure(make_predictions(skills=(1.5, 1.5)))

    assert sum(one.n_speakers for one in report.slices) == report.whole.n_speakers == N_SPEAKERS
    assert sum(one.n_utterances for one in report.slices) == report.whole.n_utterances


def test_a_group_of_too_few_speakers_is_counted_and_not_shown():
    few = frozenset(f"{s:02d}" for s in range(MIN_SPEAKERS - 1))
    rest = frozenset(f"{s:02d}" for s in range(MIN_SPEAKERS - 1, N_SPEAKERS))

    report = measure(make_predictions(skills=(1.5, 1.5)), groups={"side": {"few": few, "rest": rest}})

    assert [one.name for one in report.slices] == ["rest"]
    assert report.n_too_few == 1
    assert report.differences == ()
    assert conclude(report).startswith("No two groups")


def test_fewer_speakers_in_all_than_an_interval_needs_are_refused():
    predictions = make_predictions(skills=(1.5, 1.5))
    lonely = replace(predictions, speakers=np.full(len(predictions.truth), "00"))

    with pytest.raises(ValueError, match="1 speakers; 5 or more"):
        measure(lonely)


def test_equal_speakers_spread_by_chance_alone_and_unequal_ones_by_more():
    alike = measure(make_predictions(skills=(1.5, 1.5))).spread
    unlike = measure(make_predictions(skills=(3.0, 0.5))).spread

    assert alike.deviation == pytest.approx(alike.chance, rel=0.35)
    assert unlike.deviation > 2 * unlike.chance
    assert list(unlike.quantiles.values()) == sorted(unlike.quantiles.values())


def test_the_same_seed_gives_the_same_report():
    predictions = make_predictions(skills=(1.5, 1.0))

    assert measure(predictions, seed=3) == measure(predictions, seed=3)


@pytest.mark.parametrize(
    ("age_years", "band"),
    [(18, "under 30"), (29, "under 30"), (30, "30 to 49"), (49, "30 to 49"), (50, "50 and over"), (74, "50 and over")],
)
def test_an_age_falls_into_one_band(age_years, band):
    assert name_age_band(age_years) == band


def test_speakers_are_grouped_with_or_without_a_corpus_before_their_id():
    actors = {"1001": Actor(51, "Male", "Caucasian", "Hispanic"), "1002": Actor(21, "Female", "Asian", "Not Hispanic")}

    groups = group_speakers(["crema-d/1001", "1002", "1002"], actors)

    assert groups["sex"] == {"Female": frozenset({"1002"}), "Male": frozenset({"crema-d/1001"})}
    assert list(groups["age"]) == ["under 30", "50 and over"]
    assert set(groups) == {"sex", "age", "race", "ethnicity"}


def test_a_speaker_that_is_no_actor_is_named():
    with pytest.raises(ValueError, match="'9999' is none of the 0 actors"):
        group_speakers(["9999"], {})


def test_a_table_of_actors_without_race_is_refused(tmp_path):
    (tmp_path / "actors.csv").write_text("ActorID,Age,Sex,Ethnicity\n1001,51,Male,Hispanic\n", encoding="utf-8")

    with pytest.raises(ValueError, match="Race are needed"):
        read_actors(tmp_path / "actors.csv")


def test_a_report_survives_json():
    report = measure(make_predictions(skills=(1.5, 1.0)))

    written = json.loads(json.dumps(asdict(report)))

    assert read_slices(written) == report
    assert read_slices({**written, "whole": {**written["whole"], "curve": []}}) == report  # As in whisper3-0.5.1.


def test_the_command_prints_what_it_writes_and_names_no_speaker(tmp_path, monkeypatch, capsys):
    predictions = make_predictions(skills=(1.5, 1.0))
    named = replace(predictions, speakers=np.char.add("10", predictions.speakers))
    write_predictions(named, tmp_path / "predictions.csv")
    rows = [f'10{s:02d},{20 + s},"{("Female", "Male")[s % 2]}","Asian","Hispanic"' for s in range(N_SPEAKERS)]
    (tmp_path / "actors.csv").write_text(
        "\n".join(('"ActorID","Age","Sex","Race","Ethnicity"', *rows)), encoding="utf-8"
    )
    files = [str(tmp_path / "predictions.csv"), "--actors", str(tmp_path / "actors.csv")]
    options = ["--uncertain-below", "0.5", "--out", str(tmp_path / "out"), "--draws", "100", "--title", "Made <up>"]
    monkeypatch.setattr(sys, "argv", ["measures", *files, *options])

    main()

    printed = capsys.readouterr().out
    written = json.loads((tmp_path / "out" / "slices.json").read_text(encoding="utf-8"))
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert printed.endswith((tmp_path / "out" / "slices.md").read_text(encoding="utf-8"))
    assert printed.startswith("WA ")
    assert f"sex: Female | 20 | {20 * 40} | {written['slices'][0]['figures']['UA']['value']:.3f}" in printed
    assert "Made &lt;up&gt;" in page
    assert written["whole"]["name"] == ALL
    assert not any(f'"10{s:02d}"' in json.dumps(written) for s in range(N_SPEAKERS))


def test_the_command_refuses_a_limit_that_is_no_confidence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        sys, "argv", ["measures", "p.csv", "--actors", "a.csv", "--uncertain-below", "63", "--out", str(tmp_path)]
    )

    with pytest.raises(SystemExit):
        main()

    assert "--uncertain-below 63" in capsys.readouterr().err


def test_what_a_table_calls_its_groups_is_text_in_markdown(tmp_path):
    everything = "<script>\u202e ![](https://example.org) | `a`\n\n# two"
    groups = {everything: {f"{everything} {name}": held for name, held in GROUPS["side"].items()}}
    report = measure(make_predictions(skills=(2.5, 0.5)), groups=groups)

    markdown = write_slices(report, tmp_path)

    assert "\u202e" not in markdown
    as_it_is = write_slices(measure(make_predictions(skills=(2.5, 0.5))), tmp_path)
    assert list_tokens(markdown) == list_tokens(as_it_is)


def list_tokens(markdown):
    """What a text is made of, apart from its words."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)
    return [
        inner.type
        for token in tokens
        for inner in (token, *(token.children or ()))
        if inner.type not in {"text", "text_special"}
    ]
