"""What each official layout's names and lists are read as."""

from collections import Counter

import pytest

from tests.unit.corpus_trees import write_crema_d, write_iemocap, write_sound
from training.corpora import LABELS, FindingKind, find_layout, list_layouts, load_corpus


def load_names(name, root):
    return load_corpus(name, root, is_inspected=False)


def kinds_of(corpus):
    return Counter(finding.kind for finding in corpus.findings)


def test_every_file_under_layouts_is_a_corpus_that_can_be_found_by_name():
    assert {"crema-d", "emodb", "iemocap", "manifest", "ravdess"} <= set(list_layouts())
    for name in list_layouts():
        assert find_layout(name).title


def test_an_unknown_corpus_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"'tess'; there are .*crema-d, .*emodb"):
        load_corpus("tess", tmp_path)


@pytest.mark.parametrize("name", ["crema-d", "emodb", "iemocap", "manifest", "ravdess"])
def test_an_empty_folder_is_no_corpus(name, tmp_path):
    with pytest.raises(FileNotFoundError):
        load_corpus(name, tmp_path)


@pytest.mark.parametrize(
    ("name", "example"), [("crema-d", "1001_DFA_ANG_XX"), ("emodb", "03a01Fa"), ("ravdess", "03-01-05-02-01-01-12")]
)
def test_a_folder_of_another_corpus_is_refused_with_an_example_name(name, example, tmp_path):
    write_sound(tmp_path / "something_else.wav", 0)

    with pytest.raises(ValueError, match=example):
        load_corpus(name, tmp_path)


@pytest.mark.parametrize("is_above", [True, False])
def test_iemocap_is_read_from_its_release_or_from_the_folder_above(is_above, tmp_path):
    release = write_iemocap(tmp_path)

    corpus = load_names("iemocap", tmp_path if is_above else release)

    assert corpus.speakers == tuple(f"Ses{n:02d}{who}" for n in range(1, 6) for who in "FM")
    assert Counter(u.session for u in corpus.utterances) == dict.fromkeys(range(1, 6), 20)
    assert all(u.path.is_file() for u in corpus.utterances)


def test_iemocap_excited_is_happiness_and_frustration_is_left_to_the_bystanders(tmp_path):
    release = write_iemocap(tmp_path, n_sessions=1)

    listing = find_layout("iemocap").read(release)

    assert {u.source_label: u.label for u in listing.utterances} == {
        "ang": "anger",
        "hap": "happiness",
        "exc": "happiness",
        "neu": "neutral",
        "sad": "sadness",
    }
    assert {u.label for u in listing.bystanders} == {"frustration", "no agreement"}


def test_iemocap_speaker_is_who_speaks_and_not_who_wore_the_markers(tmp_path):
    corpus = load_names("iemocap", write_iemocap(tmp_path, n_sessions=1))

    speakers = {u.name: u.speaker for u in corpus.utterances}
    assert speakers["Ses01F_impro01_M000"] == "Ses01M"
    assert speakers["Ses01M_script01_1_F000"] == "Ses01F"


def test_a_part_of_iemocap_is_said_to_be_one(tmp_path):
    corpus = load_names("iemocap", write_iemocap(tmp_path, n_sessions=2))

    (finding,) = corpus.findings
    assert finding.kind is FindingKind.COUNT
    assert "4 of 10 speakers" in finding.reason


def test_deviations_of_a_whole_corpus_from_the_paper_are_said_label_by_label(tmp_path):
    corpus = load_names("iemocap", write_iemocap(tmp_path))

    reasons = {finding.name: finding.reason for finding in corpus.findings}
    assert set(reasons) == set(LABELS)
    assert "20 utterances of anger, Table II of arXiv 2512.23435 has 1103 (-1083)" in reasons["anger"]


@pytest.mark.parametrize(("folder", "suffix"), [("AudioWAV", ".wav"), (".", ".flac"), ("audio", ".ogg")])
def test_crema_d_is_read_under_any_folder_and_extension(folder, suffix, tmp_path):
    corpus = load_names("crema-d", write_crema_d(tmp_path, n_actors=2, folder=folder, suffix=suffix))

    assert corpus.speakers == ("1001", "1002")
    assert corpus.count_labels() == dict.fromkeys(LABELS, 2)


def test_crema_d_of_a_full_checkout_is_counted_once(tmp_path):
    write_crema_d(tmp_path, n_actors=1)
    write_crema_d(tmp_path, n_actors=1, folder="AudioMP3", suffix=".flac")

    corpus = load_names("crema-d", tmp_path)

    assert {u.path.parent.name for u in corpus.utterances} == {"AudioWAV"}
    assert FindingKind.REPEATED_NAME not in kinds_of(corpus)


def test_crema_d_intensity_is_read_and_an_unspecified_one_is_none(tmp_path):
    for seed, name in enumerate(("1001_IEO_ANG_LO", "1001_IEO_ANG_MD", "1001_IEO_ANG_HI", "1040_ITH_SAD_X")):
        write_sound(tmp_path / f"{name}.wav", seed)

    intensities = {u.name[-2:]: u.intensity for u in load_names("crema-d", tmp_path).utterances}

    assert intensities == {"LO": "low", "MD": "medium", "HI": "high", "_X": None}


def test_unknown_labels_are_reported_once_a_label_and_used_by_nobody(tmp_path):
    for seed, name in enumerate(("1001_DFA_ANG_XX", "1001_IEO_ZZZ_XX", "1002_IEO_ZZZ_XX")):
        write_sound(tmp_path / f"{name}.wav", seed)

    corpus = load_names("crema-d", tmp_path)

    (finding,) = (f for f in corpus.findings if f.kind is FindingKind.UNKNOWN_LABEL)
    assert [u.name for u in corpus.utterances] == ["1001_DFA_ANG_XX"]
    assert finding.name == "ZZZ"
    assert "2 recordings" in finding.reason


def test_a_stray_file_is_reported_and_the_rest_is_used(tmp_path):
    write_sound(tmp_path / "1001_DFA_ANG_XX.wav", 0)
    write_sound(tmp_path / "notes to self.wav", 1)

    corpus = load_names("crema-d", tmp_path)

    assert len(corpus.utterances) == 1
    assert kinds_of(corpus)[FindingKind.UNKNOWN_NAME] == 1


def test_what_a_manifest_beside_crema_d_lists_as_a_defect_is_left_out(tmp_path):
    write_sound(tmp_path / "audio" / "1013_WSI_SAD_XX.ogg", 0, n_samples=4800)
    write_sound(tmp_path / "audio" / "1013_WSI_ANG_XX.ogg", 1, n_samples=4800)
    (tmp_path / "manifest.csv").write_text(
        "file,defect\naudio/1013_WSI_SAD_XX.ogg,a twin\naudio/1013_WSI_ANG_XX.ogg,\n"
    )

    assert [u.label for u in load_names("crema-d", tmp_path).utterances] == ["anger"]


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_emodb_letters_are_read_as_german_initials(suffix, tmp_path):
    for seed, letter in enumerate("WLEAFTN"):
        write_sound(tmp_path / "wav" / f"03a01{letter}a{suffix}", seed)

    listing = find_layout("emodb").read(tmp_path)

    assert {u.source_label: u.label for u in listing.utterances} == {
        "W": "anger",
        "F": "happiness",
        "N": "neutral",
        "T": "sadness",
    }
    assert {u.label for u in listing.bystanders} == {"boredom", "disgust", "fear"}
    assert {u.speaker for u in listing.utterances} == {"03"}


def test_ravdess_speech_is_used_calm_is_dropped_and_song_is_passed_over(tmp_path):
    for emotion in range(1, 9):
        write_sound(tmp_path / "Actor_12" / f"03-01-{emotion:02d}-01-01-01-12.wav", emotion)
        write_sound(tmp_path / "Actor_12" / f"03-02-{emotion:02d}-01-01-01-12.wav", 100 + emotion)
    write_sound(tmp_path / "Actor_12" / "03-01-05-02-01-01-12.wav", 50)

    listing = find_layout("ravdess").read(tmp_path)

    assert Counter(u.label for u in listing.utterances) == {"neutral": 1, "happiness": 1, "sadness": 1, "anger": 2}
    assert {u.label for u in listing.bystanders} == {"calm", "fear", "disgust", "surprise"}
    assert {u.intensity for u in listing.utterances if u.label == "anger"} == {"normal", "strong"}
    assert {u.speaker for u in listing.utterances} == {"12"}


def test_a_second_copy_of_ravdess_inside_itself_is_reported_and_not_used(tmp_path):
    for folder in ("Actor_01", "audio_speech_actors_01-24/Actor_01"):
        write_sound(tmp_path / folder / "03-01-05-02-01-01-01.wav", 0)

    corpus = load_names("ravdess", tmp_path)

    assert len(corpus.utterances) == 1
    assert kinds_of(corpus)[FindingKind.REPEATED_NAME] == 1


def write_manifest(tmp_path, text):
    path = tmp_path / "mine.csv"
    path.write_text(text)
    return path


def test_a_manifest_gives_speaker_label_session_and_intensity(tmp_path):
    path = write_manifest(
        tmp_path, "file,speaker,emotion,session,intensity\nann/1.wav,ann,anger,2,strong\nbob/1.wav,bob,sadness,,\n"
    )

    ann, bob = load_names("manifest", path).utterances

    assert (ann.name, ann.speaker, ann.label, ann.session, ann.intensity) == ("ann/1", "ann", "anger", 2, "strong")
    assert (bob.name, bob.label, bob.session, bob.intensity) == ("bob/1", "sadness", None, None)
    assert ann.path == tmp_path / "ann" / "1.wav"
    assert ann.voice == "mine/ann"


def test_a_word_of_another_vocabulary_in_a_manifest_is_reported(tmp_path):
    path = write_manifest(tmp_path, "file,speaker,emotion\na.wav,ann,happy\nb.wav,ann,happiness\n")

    corpus = load_names("manifest", path)

    assert [u.name for u in corpus.utterances] == ["b"]
    assert "labelled 'happy'" in corpus.findings[0].reason


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,emotion\na.wav,anger\n", "no column speaker"),
        ("file,speaker,emotion\n", "no row"),
        ("file,speaker,emotion\na.wav,,anger\n", "line 2 has no speaker"),
        ("file,speaker,emotion,session\na.wav,ann,anger,one\n", "session 'one'"),
    ],
)
def test_a_manifest_that_cannot_be_meant_is_refused(text, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        load_names("manifest", write_manifest(tmp_path, text))
