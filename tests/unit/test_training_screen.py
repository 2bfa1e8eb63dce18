"""What a corpus is called reaches the terminal of whoever trains on it as text."""

import csv
import sys

from training.corpora.__main__ import main as show_corpus


def test_what_a_corpus_lists_reaches_the_screen_as_text(tmp_path, monkeypatch, capsys):
    listed = [["file", "speaker", "emotion", "defect"], ["a\x1b[2J.wav", "ana", "anger", "\u202eno\nb: fine"]]
    with (tmp_path / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(listed)
    monkeypatch.setattr(sys, "argv", ["corpora", "manifest", str(tmp_path), "--names-only"])

    show_corpus()

    printed = capsys.readouterr().out
    assert not {"\x1b", "\u202e"} & set(printed)
    assert "- a\\x1b[2J: listed: \\u202eno\\nb: fine; left out\n" in printed
