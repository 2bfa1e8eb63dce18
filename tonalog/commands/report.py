"""`tonalog report`: one self-contained page of HTML on a person, a note or the whole installation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from config.settings import Settings
from db import Engine, models, notes, people_rows, results
from db.rows import Model
from storage.open import open_place
from tonalog.errors import TonalogError
from tonalog.recordings import find_one
from tonalog.screen import say
from tonalog.session import choose_model, choose_tenant, find_subject, open_database, say_nobody

_EPILOG = """\b
Examples:
  tonalog report --subject ana --out ana.html
  tonalog report --note ana/2026-03-02T08-15-00Z.ogg --with-audio --out note.html
  tonalog report --operations --out operations.html
  tonalog report --example examples/notes --out example.html
"""


@click.command(name="report", epilog=_EPILOG)
@click.option("--subject", help="A person: days, own baseline, recent level, shifts.")
@click.option("--note", help="A recording, by its id or key: waveform, speech, scores.")
@click.option("--operations", is_flag=True, help="Lanes, output, failures, coverage, drift of scores; false alarms.")
@click.option(
    "--example",
    metavar="PATH_OR_S3_URL",
    help="Made-up people over weeks, of the real notes that `tonalog run` has scored there.",
)
@click.option("--tenant", help="Whose person: TONALOG_TENANT or 'default' if not given; of --operations: all.")
@click.option("--with-audio", is_flag=True, help="Embed the recording of --note, so that the page plays it.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write.")
def report_command(
    *,
    subject: str | None,
    note: str | None,
    operations: bool,
    example: str | None,
    tenant: str | None,
    with_audio: bool,
    out: Path,
) -> None:
    """Write one page of HTML that needs nothing else: no server, no network, no script (extra report or api)."""
    if (subject is not None) + (note is not None) + operations + (example is not None) != 1:
        raise click.UsageError("Give one of --subject, --note, --operations and --example.")
    if with_audio and note is None:
        raise click.UsageError("--with-audio goes with --note: other pages play nothing.")
    pages = load_pages()
    settings = Settings.read()
    engine = open_database(settings)
    if subject is not None:
        html = _write_person(engine, settings, pages, subject=subject, tenant=choose_tenant(settings, tenant))
    elif note is not None:
        html = _write_note(engine, settings, pages, wanted=note, tenant=tenant, with_audio=with_audio)
    elif example is not None:
        html = _write_example(engine, settings, pages, place=example)
    else:
        html = _write_operations(engine, pages, tenant=tenant)
    save(out, html)


def load_pages() -> Any:
    """Import what writes pages.

    Raises:
        TonalogError: its extra is not installed.
    """
    try:
        from pictures import pages  # noqa: PLC0415 - a template engine, which is an extra
    except ModuleNotFoundError as error:
        if error.name not in {"jinja2", "markupsafe"}:
            raise
        raise TonalogError("Reports need their extra: pip install 'tonalog[report]'.") from error
    return pages


def save(out: Path, html: str, *, err: bool = False) -> None:
    """Write a page and say where it is, on stderr where stdout holds something else.

    Raises:
        TonalogError: the file cannot be written.
    """
    try:
        out.write_text(html, encoding="utf-8")
    except OSError as error:
        raise TonalogError(f"{str(out)!r} cannot be written: {error.strerror or error}.") from error
    say(f"Wrote {out} ({len(html.encode()) / 1000:.0f} kB).", err=err)


def _write_person(engine: Engine, settings: Settings, pages: Any, *, subject: str, tenant: str) -> str:
    from pictures.collect_person import collect_person  # noqa: PLC0415 - numpy, which most commands need not
    from trends import TrendSettings  # noqa: PLC0415

    person = find_subject(engine, settings, subject, tenant=tenant)
    model = choose_model(engine, None, tenant=tenant, subject=person)
    by = TrendSettings(baseline_days=settings.trend_baseline_days)
    page = collect_person(engine, tenant, person, settings=by, model_id=None if model is None else model.id)
    if page is None:
        known = notes.list_notes(engine, tenant, person, model_id=None, chosen=notes.NoteFilter(), limit=1)
        if not known:
            raise TonalogError(say_nobody(engine, settings, subject, tenant=tenant))
        raise TonalogError(
            f"Nothing is kept yet of the days of {subject!r}: a note needs a time of recording (`tonalog identify`), and "
            "scheduler or `tonalog run` bring days up to date."
        )
    write: Callable[[Any], str] = pages.render_person
    return write(page)


def _write_note(
    engine: Engine, settings: Settings, pages: Any, *, wanted: str, tenant: str | None, with_audio: bool
) -> str:
    from pictures.note import NotePage  # noqa: PLC0415
    from tonalog.note_sound import read_sound  # noqa: PLC0415

    found = find_one(engine, wanted)
    if tenant is not None and found.tenant != tenant:
        raise TonalogError(f"Recording {found.id} is not of tenant {tenant!r}.")
    model = _need_model(models.active_model(engine))
    note = notes.get_note(engine, found.tenant, found.id, model_id=model.id)
    if note is None:
        raise TonalogError(f"Recording {found.id} is {found.state.value.lower()}: a page is made of live ones.")
    heard = read_sound(settings, found, model, with_audio=with_audio)
    result = results.result_of(engine, found.id, model.id)
    page = NotePage(
        note=note,
        tenant=found.tenant,
        segments=() if result is None else tuple(result.segments),
        relative=people_rows.read_relative(engine, [found.id], model_id=model.id).get(found.id),
        envelope=heard.envelope,
        sound=heard.sound,
        sound_words=heard.words,
    )
    write: Callable[[Any], str] = pages.render_note
    return write(page)


def _write_example(engine: Engine, settings: Settings, pages: Any, *, place: str) -> str:
    from tonalog import example_people  # noqa: PLC0415
    from trends import TrendSettings  # noqa: PLC0415

    model = _need_model(models.active_model(engine))
    store, prefix = open_place(settings, place)
    pool = example_people.read_pool(engine, model, store=store.name, bucket=store.bucket, prefix=prefix)
    if not any(one.status is notes.NoteStatus.SCORED for one in pool):
        raise TonalogError(f"No scored notes of {place!r} are in the database: run `tonalog run {place}` first.")
    people = example_people.make_people(
        engine,
        model,
        pool,
        today=datetime.now(UTC).date(),
        settings=TrendSettings(baseline_days=settings.trend_baseline_days),
    )
    write: Callable[..., str] = pages.render_people
    return write(people, title="Made-up people over weeks", remark=example_people.REMARK)


def _write_operations(engine: Engine, pages: Any, *, tenant: str | None) -> str:
    from pictures.operations import collect_operations  # noqa: PLC0415

    write: Callable[[Any], str] = pages.render_operations
    return write(collect_operations(engine, at=datetime.now(UTC), tenant=tenant, has_drift=tenant is None))


def _need_model(model: Model | None) -> Model:
    if model is None:
        raise TonalogError("No model is active: run `tonalog run` or `tonalog models activate VERSION`.")
    return model
