"""Fine-tuning the upper layers: what it may move, whom it may hear, and that it can be repeated."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from training.corpora import LABELS
from training.data.cached import FRAMES_FILE, WINDOWS_FILE, cache_windows, load_frames
from training.data.copies import TRAINED, Window
from training.fitting.mean import RunsDiffer, average_runs
from training.fitting.presets import SMOKE
from training.fitting.recipe import Further, Tune
from training.fitting.targets import draw_hidden, draw_items, list_corpora, soften, weigh_items
from training.fitting.tuned import JUDGED, JUDGED_FILE, Start, tune_fold
from training.nets.upper import Upper, compute_logits, gather_batch, mix_nets, split_encoder
from training.nets.whisper import PooledEncoder, load_encoder
from training.protocols.folds import assign_folds
from training.studies.folds import RunsIncomplete, sum_up

SPEAKERS = [f"actor{number}" for number in range(5)]
SHORT = Tune(epochs=1, windows=12, batch_size=4, hidden=0.6)


def start_from(weights, how=SHORT, **values):
    return Start(weights, replace(SMOKE, stages=replace(SMOKE.stages, tune=how)), **values)


def make_windows(name, *, loud=0.1):
    rng = np.random.default_rng(len(name))
    for speaker in SPEAKERS:
        for label in LABELS:
            signal = rng.standard_normal(int(rng.integers(3_200, 6_400))).astype(np.float32) * np.float32(loud)
            yield Window(signal, speaker, label, f"{speaker}-{label}")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    encoder = PooledEncoder()
    path = tmp_path_factory.mktemp("weights") / "encoder.safetensors"
    save_file({f"encoder.{k}": v for k, v in encoder.state_dict().items() if not k.startswith("log_mel")}, path)
    return path


@pytest.fixture(scope="module")
def frames(tmp_path_factory, weights):
    folder = tmp_path_factory.mktemp("frames")
    encode = split_encoder(load_encoder(weights))
    folders = {name: folder / name for name in dict.fromkeys((*TRAINED, *JUDGED))}
    for name, target in folders.items():
        target.mkdir()
        cache_windows(make_windows(name), encode, target)
    return folders


def test_cached_frames_lead_to_the_statistics_of_the_whole_encoder(frames, weights):
    clean = load_frames(frames["clean"])
    upper = Upper(load_encoder(weights), torch.nn.Identity())

    logits = [
        upper(torch.from_numpy(clean.take(row).astype(np.float32))[None], torch.ones(1, len(clean.take(row))))
        for row in range(4)
    ]

    assert np.abs(torch.cat(logits).detach().numpy() - clean.windows.statistics[:4]).max() < 0.02  # float16 frames


def test_padding_in_a_batch_changes_no_logit(frames, weights):
    clean = load_frames(frames["clean"])
    upper = Upper(load_encoder(weights), torch.nn.Linear(1024, 4))
    rows = np.arange(8)

    apart = compute_logits(upper, clean, rows, batch_size=1)

    assert compute_logits(upper, clean, rows, batch_size=8) == pytest.approx(apart, abs=1e-4)


def test_frames_that_are_left_out_are_as_good_as_masked(frames, weights):
    clean = load_frames(frames["clean"])
    upper = Upper(load_encoder(weights), torch.nn.Linear(1024, 4)).eval()
    drawn = draw_hidden((clean, 0), 0.9, np.random.default_rng(0))
    whole, mask = gather_batch([clean.take(0)])
    mask[:, drawn.start : drawn.stop] = 0.0

    assert drawn.stop > drawn.start
    with torch.inference_mode():
        heard = upper(*gather_batch([drawn.take()]))
        assert torch.allclose(heard, upper(whole, mask), atol=1e-5)
        assert not torch.allclose(heard, upper(*gather_batch([clean.take(0)])), atol=1e-3)


def test_a_step_hears_at_least_what_the_share_leaves_and_all_of_it_without_one(frames):
    clean = load_frames(frames["clean"])
    rng = np.random.default_rng(0)
    n_frames = len(clean.take(3))

    drawn = [draw_hidden((clean, 3), 0.6, rng) for _ in range(500)]

    assert all(one.n_left == len(one.take()) == n_frames - (one.stop - one.start) for one in drawn)
    assert min(one.n_left for one in drawn) >= 0.4 * n_frames
    assert {one.start for one in drawn} >= {0, 1}
    assert n_frames in {one.stop for one in drawn}
    assert np.array_equal(draw_hidden((clean, 3), 0.0, rng).take(), clean.take(3))


def test_only_the_upper_layers_move(frames, weights, tmp_path):
    tune_fold(frames, tmp_path, start_from(weights), left_out=0, seed=0)

    before, after = load_file(weights), load_file(tmp_path / "encoder.safetensors")
    moved = {name for name in after if not torch.equal(after[name], before[f"encoder.{name}"])}
    assert set(after) == {name.removeprefix("encoder.") for name in before}
    assert moved
    assert all(name.startswith(("layers.1.", "layers.2.")) for name in moved)
    load_encoder(tmp_path / "encoder.safetensors")


def test_speakers_left_out_have_no_say_in_what_is_learnt(frames, weights, tmp_path):
    others = {name: tmp_path / name for name in frames}
    left_out = {speaker for speaker, fold in assign_folds(SPEAKERS).items() if fold == 0}
    for name, folder in others.items():
        folder.mkdir()
        with np.load(frames[name] / WINDOWS_FILE) as held:
            arrays = dict(held)
        is_out = np.isin(arrays["speakers"], list(left_out))
        arrays["statistics"][is_out] *= 7.0
        values = np.load(frames[name] / FRAMES_FILE)
        values[np.repeat(is_out, np.diff(arrays["starts"]))] *= np.float16(7.0)
        np.savez(folder / WINDOWS_FILE, **arrays)
        np.save(folder / FRAMES_FILE, values)

    for source, out in ((frames, "a"), (others, "b")):
        tune_fold(source, tmp_path / out, start_from(weights), left_out=0, seed=0)

    one, other = (load_file(tmp_path / out / "encoder.safetensors") for out in "ab")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_same_seed_tunes_the_same_weights_and_says_what_it_measured(frames, weights, tmp_path):
    found = [tune_fold(frames, tmp_path / out, start_from(weights), left_out=1, seed=3) for out in "ab"]

    assert found[0] == found[1]
    assert json.loads((tmp_path / "a" / "tune.json").read_text())["tuned"] == found[0]["tuned"]
    assert set(found[0]["tuned"]) == set(JUDGED)


def tune_mean(frames, weights, out, *, fold, seeds=(0, 1)):
    runs = [out / f"seed-{seed}" for seed in seeds]
    for seed, run in zip(seeds, runs, strict=True):
        tune_fold(frames, run, start_from(weights), left_out=fold, seed=seed)
    average_runs(runs, frames, out / "mean")
    return out / "mean"


def test_the_mean_of_runs_lies_between_them_and_keeps_what_none_of_them_moved(frames, weights, tmp_path):
    mean = load_file(tune_mean(frames, weights, tmp_path, fold=0) / "encoder.safetensors")

    one, other = (load_file(tmp_path / f"seed-{seed}" / "encoder.safetensors") for seed in (0, 1))
    moved = [name for name in one if not torch.equal(one[name], other[name])]
    assert moved
    for name in one:
        if name in moved:
            assert torch.allclose(mean[name], (one[name] + other[name]) / 2, atol=1e-6)
        else:
            assert torch.equal(mean[name], one[name])


def test_runs_that_are_averaged_start_from_one_head(frames, weights, tmp_path):
    still = replace(SHORT, kept=0.0)
    for seed in (0, 1):
        tune_fold(frames, tmp_path / str(seed), start_from(weights, still), left_out=0, seed=seed)

    one, other = (load_file(tmp_path / str(seed) / "head.safetensors") for seed in (0, 1))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("folds", "seeds"), [((0, 1), (0, 1)), ((0, 0), (0, 0))])
def test_runs_of_other_folds_or_of_one_seed_twice_are_not_averaged(frames, weights, tmp_path, folds, seeds):
    runs = [tmp_path / name for name in "ab"]
    for run, fold, seed in zip(runs, folds, seeds, strict=True):
        tune_fold(frames, run, start_from(weights), left_out=fold, seed=seed)

    with pytest.raises(RunsDiffer, match="one fold, recipe and run a seed"):
        average_runs(runs, frames, tmp_path / "mean")


def test_folds_are_summed_up_by_nets_that_never_heard_their_speakers(frames, weights, tmp_path):
    means = [tune_mean(frames, weights, tmp_path / f"fold-{fold}", fold=fold) for fold in (0, 1)]

    found = sum_up(means[::-1], tmp_path / "sum", calibration=SMOKE.stages.calibration)

    assert found["folds"] == [0, 1]
    assert found["seeds"] == [0, 1]
    assert found["n_speakers"] == 2
    assert found == json.loads((tmp_path / "sum" / "evaluation.json").read_text())
    assert (tmp_path / "sum" / "predictions.csv").read_text().count("fold ") == 2 * len(LABELS)


def test_what_single_seeds_reach_is_said_beside_their_mean(frames, weights, tmp_path):
    means = [tune_mean(frames, weights, tmp_path / f"fold-{fold}", fold=fold) for fold in (0, 1)]

    found = sum_up(means, tmp_path / "sum", calibration=SMOKE.stages.calibration)["by_seed"]

    said = [
        [json.loads((mean.parent / f"seed-{seed}" / "tune.json").read_text())["tuned"]["clean"] for seed in (0, 1)]
        for mean in means
    ]
    assert found["clean"][0] == pytest.approx(np.mean(said), abs=1e-4)
    assert found["clean"][1] == pytest.approx(np.std(np.mean(said, axis=0), ddof=1), abs=1e-4)


def test_a_fold_that_comes_twice_is_not_summed_up(frames, weights, tmp_path):
    mean = tune_mean(frames, weights, tmp_path, fold=0)

    with pytest.raises(RunsIncomplete, match=r"folds \[0, 0\]"):
        sum_up([mean, mean], tmp_path / "sum", calibration=SMOKE.stages.calibration)


def test_folds_of_different_seeds_are_not_summed_up(frames, weights, tmp_path):
    means = [tune_mean(frames, weights, tmp_path / str(fold), fold=fold, seeds=(0, 1 + fold)) for fold in (0, 1)]

    with pytest.raises(RunsIncomplete, match="different seeds"):
        sum_up(means, tmp_path / "sum", calibration=SMOKE.stages.calibration)


def test_a_mixed_net_lies_between_the_two_and_at_either_end_is_one_of_them(weights):
    torch.manual_seed(1)
    start, tuned = (Upper(load_encoder(weights), torch.nn.Linear(1024, 4)) for _ in range(2))

    mixed = {kept: mix_nets(start, tuned, kept=kept).state_dict() for kept in (0.0, 0.5, 1.0)}

    for name, before in start.state_dict().items():
        assert torch.equal(mixed[0.0][name], before)
        assert torch.equal(mixed[1.0][name], tuned.state_dict()[name])
        assert torch.allclose(mixed[0.5][name], (before + tuned.state_dict()[name]) / 2)


def test_votes_soften_the_label_of_their_clip_and_of_no_other(frames):
    clean = load_frames(frames["clean"])
    name = str(clean.windows.names[0])
    votes = {name: np.array([0.0, 0.0, 0.5, 0.5])}

    softened, other = soften((clean, 0), votes, share=0.4), soften((clean, 1), votes, share=0.4)

    acted = LABELS.index(str(clean.windows.kinds[0]))
    assert softened.sum() == pytest.approx(1.0)
    assert softened[acted] == pytest.approx(0.6 + 0.4 * votes[name][acted])
    assert sorted(other.tolist()) == [0.0, 0.0, 0.0, 1.0]


def test_votes_change_what_is_learnt_and_must_be_there_where_they_have_a_share(frames, weights, tmp_path):
    voting = replace(SHORT, votes=0.5)
    votes = tmp_path / "votes.csv"
    rows = [f"{speaker}-{label},0,0,0,1" for speaker in SPEAKERS for label in LABELS]
    votes.write_text("\n".join(["name," + ",".join(LABELS), *rows]) + "\n", encoding="utf-8")

    tune_fold(frames, tmp_path / "acted", start_from(weights), left_out=0, seed=0)
    tune_fold(frames, tmp_path / "voted", start_from(weights, voting, votes=votes), left_out=0, seed=0)

    acted, voted = (load_file(tmp_path / run / "head.safetensors") for run in ("acted", "voted"))
    assert any(not torch.equal(acted[name], voted[name]) for name in acted)
    with pytest.raises(ValueError, match=r"share of 0\.5"):
        tune_fold(frames, tmp_path / "none", start_from(weights, voting), left_out=0, seed=0)
    start = start_from(weights, voting, votes=tmp_path / "nowhere.csv")
    with pytest.raises(FileNotFoundError, match="a column name"):
        tune_fold(frames, tmp_path / "none", start, left_out=0, seed=0)


def rename_speakers(frames, *, first):
    """Return windows of which those after the first ones are of a corpus called fsdd."""
    clean = load_frames(frames["clean"])
    names = clean.windows.speakers
    speakers = np.array([*names[:first], *(f"fsdd/{name}" for name in names[first:])])
    mixed = replace(clean, windows=replace(clean.windows, speakers=speakers))
    return [(mixed, row) for row in range(len(speakers))]


def test_a_further_corpus_weighs_as_much_beside_the_first_as_it_is_told(frames):
    items = rename_speakers(frames, first=16)

    weighed = weigh_items(items, (Further("fsdd", weight=0.5, drawn=0.1),))

    assert weigh_items(items, ()).tolist() == [1.0] * len(items)
    assert weighed[:16].tolist() == [1.0] * 16
    assert weighed[16:].sum() == pytest.approx(0.5 * 16)


def test_a_round_has_its_share_of_a_further_corpus_and_weighs_the_same_for_it(frames):
    items = rename_speakers(frames, first=16)
    corpora = list_corpora(items)

    for drawn in (0.25, 0.5):
        further = (Further("fsdd", weight=0.5, drawn=drawn),)
        rows = draw_items(corpora, 16, further, np.random.default_rng(0))
        weighed = weigh_items([items[row] for row in rows], further)
        is_further = np.array([corpora[row] == "fsdd" for row in rows])
        assert is_further.sum() == 16 * drawn
        assert len(set(np.array(rows)[~is_further])) == 16 * (1 - drawn)
        assert weighed[is_further].sum() == pytest.approx(0.5 * weighed[~is_further].sum())


def test_a_round_without_further_corpora_has_each_window_once(frames):
    corpora = list_corpora(rename_speakers(frames, first=20))

    rows = draw_items(corpora[:20], 1_000, (), np.random.default_rng(0))

    assert sorted(rows) == list(range(20))


@pytest.mark.parametrize(("weight", "drawn"), [(0.0, 0.1), (-1.0, 0.1), (0.5, 0.0), (0.5, 1.0)])
def test_a_weight_or_a_share_that_is_none_is_refused(weight, drawn):
    with pytest.raises(ValueError, match=r"fsdd has .*allowed is over 0"):
        Further("fsdd", weight=weight, drawn=drawn)


def test_corpora_can_be_left_out_as_a_fold_can_and_are_judged_by_what_holds_them(frames, weights, tmp_path):
    renamed = {}
    for name, folder in frames.items():
        renamed[name] = tmp_path / name
        shutil.copytree(folder, renamed[name])
        with np.load(folder / WINDOWS_FILE) as held:
            arrays = dict(held)
        for corpus, digit in (("emodb", "4"), ("fsdd", "3")):
            is_further = np.char.endswith(arrays["speakers"], digit)
            if corpus == "fsdd" and name not in {"clean", "everyday"}:
                arrays["speakers"] = np.where(is_further, "actor0", arrays["speakers"])
                continue
            named = np.char.add(f"{corpus}/", arrays["speakers"])
            arrays["speakers"] = np.where(is_further, named, arrays["speakers"])
        np.savez(renamed[name] / WINDOWS_FILE, **arrays)

    found = tune_fold(renamed, tmp_path / "out", start_from(weights), left_out=("emodb", "fsdd"), seed=0)
    average_runs([tmp_path / "out"], renamed, tmp_path / "mean")

    with np.load(tmp_path / "mean" / JUDGED_FILE) as judged:
        assert set(judged["clean/speakers"].tolist()) == {"emodb/actor4", "fsdd/actor3"}
        assert set(judged["room/speakers"].tolist()) == {"emodb/actor4"}
    tune_fold(renamed, tmp_path / "ordinary", start_from(weights), left_out=("fsdd",), seed=0)
    with np.load(tmp_path / "ordinary" / JUDGED_FILE) as judged:
        assert {name.split("/")[0] for name in judged} == {"clean"}
    assert found["fold"] == ("emodb", "fsdd")
    with pytest.raises(ValueError, match=r"nobody is in \('ravdess',\)"):
        tune_fold(renamed, tmp_path / "none", start_from(weights), left_out=("ravdess",), seed=0)
