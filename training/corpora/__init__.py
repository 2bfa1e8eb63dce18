"""Labelled corpora in their official layouts, their defects found by listening.

A corpus is one file under `layouts`. Recordings are decoded as serving decodes them.
"""

from training.corpora.decoded import DecodedCorpus, DecodedUtterance, load_decoded
from training.corpora.files import find_audio, read_signal
from training.corpora.inspection import inspect_listing
from training.corpora.registry import find_layout, find_sets, list_layouts, load_corpus
from training.corpora.utterance import LABELS, Corpus, Finding, FindingKind, Kind, Layout, Listing, Utterance, Whole

__all__ = [
    "LABELS",
    "Corpus",
    "DecodedCorpus",
    "DecodedUtterance",
    "Finding",
    "FindingKind",
    "Kind",
    "Layout",
    "Listing",
    "Utterance",
    "Whole",
    "find_audio",
    "find_layout",
    "find_sets",
    "inspect_listing",
    "list_layouts",
    "load_corpus",
    "load_decoded",
    "read_signal",
]
