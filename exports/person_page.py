"""The page of a person's export: what is kept of them, how it was made, for how long, and who read it, in plain words."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.escaping import escape_html
from db.person_rows import PersonRows
from db.schema import identity_changes
from exports.dictionary import NOTES, WORDS
from exports.rows import RowSource

if TYPE_CHECKING:
    from exports.person import Keeping

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    "table{border-collapse:collapse}td,th{border:1px solid #8888;padding:.2rem .5rem;text-align:left;vertical-align:top}"
    "div{overflow-x:auto}"
)
_METHOD = [
    "A recording is decoded, and what is speech in it is found. The speech is cut into windows of a few seconds. A neural network gives each window a score for each emotion that a voice can express; the scores of a window sum to 1. The scores of a note are the mean of those of its windows.",
    "Relative scores compare a note with earlier notes of the same person, and so show what is unusual for this person. They hide what is always there: somebody who always sounds sad looks ordinary to themselves.",
    "Beside the scores, measures of the voice are computed that need no model of emotions: how high the voice is, how far its pitch and its loudness move, how fast you speak and how much you pause.",
    "A score may be wrong, and one that is marked as uncertain often is. This software decides nothing; whoever decides something with the scores has to tell you.",
]


def write_page(
    path: Path, source: RowSource, person: PersonRows, *, keeping: "Keeping", n_rows: dict[str, int]
) -> None:
    """Write the page; it holds no script and asks nobody for anything."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for part in _parts(source, person, keeping=keeping, n_rows=n_rows):
            file.write(part + "\n")


def _parts(source: RowSource, person: PersonRows, *, keeping: "Keeping", n_rows: dict[str, int]) -> Iterator[str]:
    name = escape_html(person.names[0])
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    yield "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<title>What is kept of {name}</title><style>{_STYLE}</style></head><body>"
    yield f"<h1>What is kept of {name}</h1>"
    yield f"<p>{WORDS}</p>"
    yield _paragraph(f"As of {_moment(source.snapshot.taken_at)}, in the collection {source.chosen.tenant!r}.")
    if len(person.names) > 1:
        yield _paragraph(f"Former names that still mean this person: {', '.join(person.names[1:])}.")
    yield from _kept(n_rows)
    yield "<h2>How scores are made</h2>"
    yield from map(_paragraph, (*_METHOD, _of_model(source)))
    yield "<h2>Your voice notes</h2>"
    yield from _table(_NOTE_HEADS, map(_note_cells, source.read(NOTES)))
    yield "<h2>What was corrected</h2>"
    yield from _table(("when", "note", "what", "was", "is now"), map(_change_cells, person.read(identity_changes)))
    yield "<h2>Who read it over the network</h2>"
    yield _paragraph(
        "Programs that asked the HTTP API about you, by the name of their key. Reading by SQL is not recorded."
    )
    yield from _table(
        ("when", "key", "question", "answer"),
        (
            (_moment(r.at), f"{r.key_id} {r.key_name}", f"{r.method} {r.route}", str(r.status))
            for r in person.readings()
        ),
    )
    yield "<h2>For how long</h2>"
    yield from map(_paragraph, _how_long(keeping))
    yield "</body></html>"


_VOICE_WORDS = {
    "pitch_median_hz": "pitch {:.0f} Hz",
    "pitch_spread_semitones": "moving by {:.1f} semitones",
    "level_spread_db": "loudness moving by {:.1f} dB",
    "onsets_per_s": "about {:.1f} syllables a second",
    "pause_share": "{:.0%} pauses",
    "speaking_share": "{:.0%} of the recording is speech",
}
_NOTE_HEADS = ("note", "recorded", "length", "state", "expressed emotion", "score", "unusual for you", "voice")


def _kept(n_rows: dict[str, int]) -> Iterator[str]:
    yield "<h2>What is kept</h2>"
    yield _paragraph(
        "index.html is this page. notes.csv, segments.csv, days.csv and trends.csv open in any spreadsheet. data.json has "
        "every row that the database holds of you, for programs; the folder tables has the same as CSV."
    )
    yield from _table(("table", "rows"), ((name, str(n)) for name, n in n_rows.items()))


def _of_model(source: RowSource) -> str:
    if source.model is None:
        return "No model is active, so that there are no scores yet."
    labels = ", ".join(source.model.labels)
    return f"The table below is of the model {source.model.name}-{source.model.version}, which tells apart: {labels}."


def _note_cells(row: dict[str, Any]) -> tuple[str, ...]:
    seconds = "" if row["duration_ms"] is None else f"{row['duration_ms'] / 1000:.0f} s"
    state = row["status"] if row["reason"] is None else f"{row['status']}: {row['reason']}"
    label = row["label"] or ""
    sure = " (uncertain)" if row["is_uncertain"] else ""
    score = "" if row["confidence"] is None else f"{row['confidence']:.2f}"
    when = row["recorded_at_local"] or row["recorded_at"]
    unusual = row["relative_label"] or ""
    return (str(row["recording_id"]), _moment(when), seconds, state, label + sure, score, unusual, _voice_cell(row))


def _voice_cell(row: dict[str, Any]) -> str:
    written = {name: text.format(row[name]) for name, text in _VOICE_WORDS.items() if row[name] is not None}
    return ", ".join(written.values())


def _change_cells(row: dict[str, Any]) -> tuple[str, ...]:
    values = ("unknown" if row[name] is None else row[name] for name in ("old_value", "new_value"))
    return (_moment(row["changed_at"]), str(row["recording_id"]), row["field"], *values)


def _how_long(keeping: "Keeping") -> Iterator[str]:
    if keeping.retention_days is None:
        yield "Recordings and scores are kept until somebody erases them: no period is set."
    else:
        yield f"A recording is erased {keeping.retention_days} days after it was registered, with all that is known of it."
    yield f"Who read what over the network is kept for {keeping.api_audit_days} days."
    yield "On your request all of it can be erased, the recordings too, and what is wrong about person and time corrected."


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    lines = ("<tr>" + "".join(f"<td>{escape_html(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    first = next(lines, None)
    if first is None:
        yield "<p>Nothing.</p>"
        return
    yield (
        "<div><table><thead><tr>" + "".join(f"<th>{escape_html(head)}</th>" for head in heads) + "</tr></thead><tbody>"
    )
    yield first
    yield from lines
    yield "</tbody></table></div>"


def _paragraph(text: str) -> str:
    return f"<p>{escape_html(text)}</p>"


def _moment(value: datetime | None) -> str:
    if value is None:
        return "unknown"
    return value.strftime("%Y-%m-%d %H:%M") + ("" if value.tzinfo is None else " UTC")
