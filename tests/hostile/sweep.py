"""Hold our decoding of every file in a folder against what the `ffmpeg` command plays of it.

python -m tests.hostile.sweep FOLDER [--json]

The folder is meant to hold the test files that audio libraries publish (docs/hostile-input.md). Exits with 1 if a file
passes for whole and is shorter than the reference or its own header has it, if it sounds otherwise, or on a crash or a
hang.
"""

# ruff: noqa: T201 - a command prints

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.hostile import reference
from tests.hostile.arena import Arena, Verdict
from tests.hostile.levels import measure_difference
from tests.hostile.reference import Reference
from worker.audio.errors import AudioReason

DECODE = (sys.executable, "-m", "tests.hostile.decoding")
TOLERATED_PART = 0.02
TOLERATED_S = 0.1
"""Decoders differ by encoder delay and padding: a frame or two, up to 50 ms for HE-AAC."""
TOLERATED_OF_HEADER_S = 0.25
"""A Xing header counts delay and padding in: 1,500 samples, which are 190 ms at 8 kHz."""
TOLERATED_DB = 6.0
"""Codecs, resamplers and damage that is filled in another way stay below 4 dB."""
NO_AUDIO = "no audio"
FAULTS = ("shorter", "short of header", "other sound", "crash", "hang")


@dataclass(frozen=True)
class Row:
    """One file, decoded twice.

    Attributes:
        path: of the file, within the folder.
        kind: demuxer and codec by ffprobe.
        ours: `decoded`, or the reason that was given.
        ours_s: seconds of signal before the end or the reason.
        detail: the sentence that goes with a reason.
        played_s: seconds that the reference decoded.
        promised_s: what the container says, as the reference reads it, 0 where it does not say.
        difference_db: how much the levels of signals of the same length differ in the mean.
        verdict: `same`, `refused` (the reference plays it), `shorter` (decoded, and less than the reference), `short of
            header` (as the reference, and less than the container says), `longer` than both, `only ours` (the
            reference plays nothing), `other sound` (as long, and loud at other places), `both refuse`, `no audio`
            (nothing of it looks like audio to either), `crash` or `hang`.
    """

    path: str
    kind: str
    ours: str
    ours_s: float
    detail: str
    played_s: float
    promised_s: float
    difference_db: float
    verdict: str


def sweep(folder: Path, arena: Arena, *, limit_s: float = 60.0) -> Iterator[Row]:
    """Decode every file of a folder, and of files of the same content only the first.

    Args:
        folder: it is walked to the bottom; links are not followed.
        arena: runs `DECODE`.
        limit_s: of each decoding by the reference.

    Yields:
        A row a file, in the order of their paths.
    """
    seen: set[str] = set()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if digest not in seen:
            seen.add(digest)
            yield compare(str(path.relative_to(folder)), arena.judge(content), reference.play(path, limit_s=limit_s))


def compare(path: str, ours: Verdict, theirs: Reference) -> Row:
    """Make a row of what both said."""
    return Row(
        path=path,
        kind=theirs.kind,
        ours=ours.ended,
        ours_s=round(ours.decoded_s, 3),
        detail=ours.detail,
        played_s=round(theirs.played_s, 3),
        promised_s=round(theirs.promised_s, 3),
        difference_db=round(_measure_difference(ours, theirs), 1),
        verdict=_decide(ours, theirs),
    )


def _decide(ours: Verdict, theirs: Reference) -> str:
    if ours.ended in ("crash", "hang"):
        return ours.ended
    if ours.ended != "decoded":
        if theirs.is_audio and theirs.played_s > 0:
            return "refused"
        return "both refuse" if theirs.is_audio or ours.ended != AudioReason.NOT_AUDIO else NO_AUDIO
    return _decide_on_decoded(ours, theirs)


def _decide_on_decoded(ours: Verdict, theirs: Reference) -> str:
    if ours.decoded_s < theirs.played_s - _tolerate(theirs.played_s, TOLERATED_S):
        return "shorter"
    if ours.decoded_s < theirs.promised_s - _tolerate(theirs.promised_s, TOLERATED_OF_HEADER_S):
        return "short of header"
    if theirs.played_s == 0 and ours.decoded_s > TOLERATED_S:
        return "only ours"
    longest_s = max(theirs.played_s, theirs.promised_s)  # a pause that is only in the time stamps is not played
    if ours.decoded_s > longest_s + _tolerate(longest_s, TOLERATED_S):
        return "longer"
    return "other sound" if _measure_difference(ours, theirs) > TOLERATED_DB else "same"


def _measure_difference(ours: Verdict, theirs: Reference) -> float:
    """Compare the levels of signals of the same length; 0 for others, which run apart."""
    is_as_long = abs(ours.decoded_s - theirs.played_s) <= _tolerate(theirs.played_s, TOLERATED_S)
    return measure_difference(ours.levels_db, theirs.levels_db) if is_as_long else 0.0


def _tolerate(duration_s: float, at_least_s: float) -> float:
    return max(at_least_s, TOLERATED_PART * duration_s)


def print_table(rows: Iterable[Row]) -> None:
    """Print a line for each file that is not decoded alike, and how many of each kind ended how."""
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        if row.verdict == NO_AUDIO:
            continue
        counts.setdefault(row.kind, Counter())[row.verdict] += 1
        if row.verdict != "same":
            said = row.ours if row.ours == "decoded" else f"{row.ours}: {row.detail}"
            print(
                f"{row.verdict:<16}{row.kind:<20}{row.ours_s:>9.2f} s of {row.played_s:>8.2f} s (header {row.promised_s:.2f} s)  {row.path}  {said}"
            )
    verdicts = sorted({verdict for count in counts.values() for verdict in count})
    print(f"\n{'kind':<24}" + "".join(f"{verdict:>16}" for verdict in verdicts))
    for kind, count in sorted(counts.items()):
        print(f"{kind:<24}" + "".join(f"{count[verdict]:>16}" for verdict in verdicts))


def main() -> int:
    """Sweep a folder and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true", help="a line of JSON for each file")
    parser.add_argument("--limit-s", type=float, default=60.0, help="of each decoding")
    options = parser.parse_args()
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is no folder")
    if not reference.is_installed():
        parser.error("the commands ffmpeg and ffprobe are not installed; they are what is compared with")
    rows = []
    with Arena(limit_s=options.limit_s, command=DECODE) as arena:
        for row in sweep(options.folder, arena, limit_s=options.limit_s):
            rows.append(row)
            if options.json:
                print(json.dumps(asdict(row)), flush=True)
    if not options.json:
        print_table(rows)
    return 1 if any(row.verdict in FAULTS for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
