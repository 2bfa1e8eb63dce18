"""What listening to a corpus finds."""

import shutil
import sys
from collections import Counter

import pytest

from tests.unit.corpus_trees import write_crema_d, write_iemocap, write_silence, write_sound
from training.corpora import FindingKind, load_corpus, load_decoded, read_signal
from training.corpora.__main__ import main


def reasons_of(corpus, kind):
    return {finding.name: finding.reason for finding in corpus.findings if finding.kind is kind}


def test_a_clean_corpus_loses_nothing_and_knows_duration_and_hash(tmp_path):
    corpus = load_corpus("crema-d", write_crema_d(tmp_path, n_actors=2))

    assert len(corpus.utterances) == 8
    assert corpus.defects == ()
    assert {u.duration_s for u in corpus.utterances} == {0.05}
    assert len({u.sound_sha256 for u in corpus.utterances}) == 8


def test_silence_is_left_out_and_is_no_copy_of_other_silence(tmp_path):
    write_crema_d(tmp_path, n_actors=1)
    for name in ("1076_MTI_SAD_XX", "1076_MTI_ANG_XX"):
        write_silence(tmp_path / "AudioWAV" / f"{name}.wav")

    corpus = load_corpus("crema-d", tmp_path)

    assert set(reasons_of(corpus, FindingKind.SILENT)) == {"1076_MTI_SAD_XX", "1076_MTI_ANG_XX"}
    assert {u.speaker for u in corpus.utterances} == {"1001"}
    assert reasons_of(corpus, FindingKind.CONTRADICTION) == {}


def test_one_sound_under_two_labels_costs_both(tmp_path):
    write_sound(tmp_path / "1006_TIE_HAP_XX.wav", 0)
    write_sound(tmp_path / "1006_TIE_NEU_XX.wav", 0)
    write_sound(tmp_path / "1006_TIE_SAD_XX.wav", 1)

    corpus = load_corpus("crema-d", tmp_path)

    assert [u.label for u in corpus.utterances] == ["sadness"]
    found = reasons_of(corpus, FindingKind.CONTRADICTION)
    assert set(found) == {"1006_TIE_HAP_XX", "1006_TIE_NEU_XX"}
    assert "two labels" in found["1006_TIE_HAP_XX"]


def test_a_twin_under_an_unused_label_costs_the_used_one(tmp_path):
    write_sound(tmp_path / "1013_WSI_SAD_XX.wav", 0)
    write_sound(tmp_path / "1013_WSI_DIS_XX.wav", 0)

    assert load_corpus("crema-d", tmp_path).utterances == ()


def test_one_sound_of_two_speakers_costs_both(tmp_path):
    write_sound(tmp_path / "1001_DFA_ANG_XX.wav", 0)
    write_sound(tmp_path / "1002_DFA_ANG_XX.wav", 0)

    corpus = load_corpus("crema-d", tmp_path)

    assert corpus.utterances == ()
    assert "two speakers" in reasons_of(corpus, FindingKind.CONTRADICTION)["1001_DFA_ANG_XX"]


def test_a_harmless_copy_is_counted_once(tmp_path):
    write_sound(tmp_path / "1001_DFA_ANG_XX.wav", 0)
    write_sound(tmp_path / "1001_IEO_ANG_XX.wav", 0)

    corpus = load_corpus("crema-d", tmp_path)

    assert [u.name for u in corpus.utterances] == ["1001_DFA_ANG_XX"]
    assert set(reasons_of(corpus, FindingKind.DUPLICATE)) == {"1001_IEO_ANG_XX"}


def test_a_wrong_container_is_reported_and_used_all_the_same(tmp_path):
    flac = write_sound(tmp_path / "other.flac", 0)
    shutil.move(flac, tmp_path / "1001_DFA_ANG_XX.wav")

    corpus = load_corpus("crema-d", tmp_path)

    assert len(corpus.utterances) == 1
    assert "is FLAC, its extension .wav says WAV" in reasons_of(corpus, FindingKind.WRONG_CONTAINER)["1001_DFA_ANG_XX"]


@pytest.mark.parametrize("content", [b"", b"<html>404 not found</html>", b"RIFF\x24\x00\x00\x00WAVEfmt "])
def test_what_is_no_audio_is_reported_with_its_reason_and_breaks_nothing(content, tmp_path):
    write_crema_d(tmp_path, n_actors=1)
    (tmp_path / "AudioWAV" / "1002_DFA_ANG_XX.wav").write_bytes(content)

    corpus = load_corpus("crema-d", tmp_path)

    assert set(reasons_of(corpus, FindingKind.UNREADABLE)) == {"1002_DFA_ANG_XX"}
    assert {u.speaker for u in corpus.utterances} == {"1001"}


def test_a_turn_without_its_file_is_missing(tmp_path):
    release = write_iemocap(tmp_path, n_sessions=1)
    (release / "Session1" / "sentences" / "wav" / "Ses01F_impro01" / "Ses01F_impro01_F000.wav").unlink()

    corpus = load_corpus("iemocap", release)

    assert set(reasons_of(corpus, FindingKind.MISSING)) == {"Ses01F_impro01_F000"}
    assert len(corpus.utterances) == 19


def test_files_of_one_name_in_two_folders_of_a_manifest_are_two_utterances(tmp_path):
    write_sound(tmp_path / "ann" / "1.wav", 0)
    write_silence(tmp_path / "bob" / "1.wav")
    (tmp_path / "manifest.csv").write_text("file,speaker,emotion\nann/1.wav,ann,anger\nbob/1.wav,bob,anger\n")

    corpus = load_corpus("manifest", tmp_path)

    assert [u.name for u in corpus.utterances] == ["ann/1"]
    assert corpus.name == tmp_path.name


def test_what_is_heard_is_said_rather_than_what_is_listed(tmp_path):
    write_silence(tmp_path / "1076_MTI_SAD_XX.wav")
    (tmp_path / "manifest.csv").write_text("file,defect\n1076_MTI_SAD_XX.wav,digital silence\n")

    findings = Counter(f.kind for f in load_corpus("crema-d", tmp_path).defects)

    assert findings == {FindingKind.SILENT: 1}


def test_a_corpus_in_memory_holds_what_reading_each_file_gives(tmp_path):
    heard = load_decoded("crema-d", write_crema_d(tmp_path, n_actors=1))

    assert [u.label for u in heard.utterances] == ["anger", "happiness", "neutral", "sadness"]
    for utterance in heard.utterances:
        assert (utterance.signal == read_signal(utterance.path)).all()


def test_the_command_prints_counts_and_findings(tmp_path, monkeypatch, capsys):
    write_crema_d(tmp_path, n_actors=1)
    write_silence(tmp_path / "AudioWAV" / "1076_MTI_SAD_XX.wav")
    monkeypatch.setattr(sys, "argv", ["corpora", "crema-d", str(tmp_path)])

    main()

    printed = capsys.readouterr().out
    assert "CREMA-D (ODbL-1.0): 4 utterances to use, 1 speakers" in printed
    assert "1 x silent" in printed
    assert "- 1076_MTI_SAD_XX: peak 0.000000" in printed
