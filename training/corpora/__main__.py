"""Print what a corpus holds and what is wrong with it."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from training.corpora.registry import find_layout, list_layouts, load_corpus
from training.corpora.utterance import Kind
from training.screen import say


def main() -> None:
    """Load one corpus and print its counts and findings."""
    parser = argparse.ArgumentParser(prog="python -m training.corpora", description=__doc__)
    parser.add_argument("name", choices=list_layouts())
    parser.add_argument("root", type=Path, help="the corpus's folder, or the CSV of a manifest")
    parser.add_argument("--names-only", action="store_true", help="read names and lists, listen to nothing")
    arguments = parser.parse_args()
    corpus = load_corpus(arguments.name, arguments.root, is_inspected=not arguments.names_only)
    hours = sum(utterance.duration_s or 0.0 for utterance in corpus.utterances) / 3600
    length = f", {hours:.2f} h" if corpus.is_inspected else ""
    counts = f"{len(corpus.utterances)} utterances to use, {len(corpus.speakers)} speakers{length}"
    say(f"{corpus.name} ({find_layout(arguments.name).licence}): {counts}")
    say("  ".join(f"{label} {n}" for label, n in corpus.count_labels().items()))
    for label_kind, n in sorted(Counter(utterance.kind for utterance in corpus.utterances).items()):
        is_guess = label_kind is Kind.ASSUMED_NEUTRAL
        say(f"{n} x {label_kind}{': nobody rated them, so they are no truth' if is_guess else ''}")
    if n := sum(utterance.is_selection_only for utterance in corpus.utterances):
        say(f"{n} x selection only: to choose between models, not to train on")
    for kind, n in sorted(Counter(finding.kind for finding in corpus.findings).items()):
        say(f"{n} x {kind}")
    for finding in corpus.findings:
        say(f"- {finding.name}: {finding.reason}{'; left out' if finding.is_left_out else ''}")


if __name__ == "__main__":
    main()
