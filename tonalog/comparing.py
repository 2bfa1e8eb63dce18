"""Compares two stored versions of a model, and gives the outcome as JSON and as tables of a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from db import Engine
from db.compare import Period, StoredOutcome, read_pairs
from db.rows import Model
from tonalog.screen import Table, new_table
from trends.comparing import Agreement, Breach, Comparison, Cost, Outcome, Pair, Tally, Verdict
from trends.comparing.records import QUANTILES

_WORDS = {
    "max_disagree": "the versions disagree on {value} of the recordings",
    "max_shift": "the mean score of {of} moves by {value}",
    "min_coverage": "{b} covers {value} of the recordings of {a}",
}
_UNKNOWN = "there is nothing to hold --{option} against: no recording has a result of both versions"


def compare_models(engine: Engine, a: Model, b: Model, *, chosen: Period, n_movers: int = 0) -> Comparison:
    """Compare two versions over the live recordings, in flat memory.

    Args:
        engine: the database.
        a: the first version.
        b: the second.
        chosen: which recordings.
        n_movers: how many of the persons who move most to name.
    """
    tally = Tally(name_of(a), name_of(b), labels_a=a.labels, labels_b=b.labels, n_movers=n_movers)
    tally.add_all(_pairs(engine, a, b, chosen))
    return tally.finish()


def name_of(model: Model) -> str:
    """Return what a version is called everywhere."""
    return f"{model.name}-{model.version}"


def as_document(found: Comparison, breaches: Sequence[Breach]) -> dict[str, Any]:
    """Return the JSON object of `tonalog compare --json`."""
    persons = asdict(found.persons)
    return {
        "a": found.a,
        "b": found.b,
        "coverage": {
            "n_both": found.n_both,
            "n_only_a": found.n_only_a,
            "n_only_b": found.n_only_b,
            "share": found.coverage,
        },
        "agreement": {name: _as_share(getattr(found, name)) for name in ("outcomes", "labels", "certain")},
        "kappa": found.kappa,
        "uncertain": {"n_a": found.n_uncertain_a, "n_b": found.n_uncertain_b},
        "confusion": {"names": found.names, "counts": found.confusion},
        "speech": asdict(found.speech),
        "quantiles_at": QUANTILES,
        "shifts": {
            shift.label: {
                "mean_a": shift.mean_a,
                "mean_b": shift.mean_b,
                **asdict(shift.shift),
                "quantiles": shift.quantiles,
            }
            for shift in found.shifts
        },
        "unshared_classes": found.unshared,
        "persons": {name: value for name, value in persons.items() if name != "bars"}
        | {"n_recordings_without": found.n_without_person},
        "cost": {"a": _as_cost(found.cost_a), "b": _as_cost(found.cost_b)},
        "limits": [asdict(breach) for breach in breaches],
    }


def list_tables(found: Comparison) -> Iterator[Table]:
    """Return the tables of `tonalog compare`, one after the other; the first alone where nothing is in common."""
    yield _tabulate_agreement(found)
    if not found.n_both:
        return
    yield _tabulate_confusion(found)
    if found.shifts:
        yield _tabulate_shifts(found)
    yield _tabulate_persons(found)
    if found.persons.movers:
        yield _tabulate_movers(found)
    yield _tabulate_cost(found)


def say_breach(breach: Breach, found: Comparison) -> str:
    """Return a sentence on one limit that is not kept, with value and limit."""
    option = breach.name.replace("_", "-")
    if breach.verdict is Verdict.UNKNOWN or breach.value is None:
        return _UNKNOWN.format(option=option)
    words = _WORDS[breach.name].format(value=f"{breach.value:.4f}", of=breach.of, a=found.a, b=found.b)
    return f"{words}; --{option} allows {breach.limit:g}"


def _pairs(engine: Engine, a: Model, b: Model, chosen: Period) -> Iterator[Pair]:
    for stored in read_pairs(engine, a=a.id, b=b.id, chosen=chosen):
        person = None if stored.subject is None else (stored.tenant, stored.subject)
        yield Pair(person=person, a=_as_outcome(stored.a), b=_as_outcome(stored.b))


def _as_outcome(stored: StoredOutcome | None) -> Outcome | None:
    if stored is None:
        return None
    return Outcome(
        label=stored.label,
        is_uncertain=stored.is_uncertain,
        scores=stored.scores,
        duration_ms=stored.duration_ms,
        wall_ms=stored.wall_ms,
        peak_rss_kib=stored.peak_rss_kib,
    )


def _as_share(agreement: Agreement) -> dict[str, Any]:
    return {**asdict(agreement), "share": agreement.share}


def _as_cost(cost: Cost) -> dict[str, Any]:
    return {**asdict(cost), "wall_s_per_audio_hour": cost.wall_s_per_hour}


def _tabulate_agreement(found: Comparison) -> Table:
    table = new_table(
        f"{found.a} and {found.b}", ["what", "recordings", "share", "95 % by person"], right=["recordings", "share"]
    )
    table.add_row("both have a result", str(found.n_both), _say_share(found.coverage), f"of {found.a}'s")
    table.add_row(f"only {found.a}", str(found.n_only_a), "", "")
    table.add_row(f"only {found.b}", str(found.n_only_b), "", "")
    names = {
        "outcomes": "same label, or both no speech",
        "labels": "same label",
        "certain": "same label, none uncertain",
    }
    for name, words in names.items():
        agreement: Agreement = getattr(found, name)
        interval = _say_interval(agreement.low, agreement.high, places=3)
        table.add_row(words, f"{agreement.n_agree} of {agreement.n}", _say_share(agreement.share), interval)
    table.add_row("Cohen's kappa of labels", "", "-" if found.kappa is None else f"{found.kappa:.3f}", "")
    table.add_row(f"speech for {found.a} only", str(found.speech.n_only_a), "", "")
    table.add_row(f"speech for {found.b} only", str(found.speech.n_only_b), "", "")
    for name, n in ((found.a, found.n_uncertain_a), (found.b, found.n_uncertain_b)):
        share = n / found.labels.n if found.labels.n else None
        table.add_row(f"uncertain for {name}", str(n), _say_share(share), "")
    return table


def _tabulate_confusion(found: Comparison) -> Table:
    title = f"Recordings by label: rows {found.a}, columns {found.b}"
    table = new_table(title, ["", *found.names], right=found.names)
    for name, counts in zip(found.names, found.confusion, strict=True):
        table.add_row(name, *map(str, counts))
    return table


def _tabulate_shifts(found: Comparison) -> Table:
    columns = ["class", f"mean\n{found.a}", f"mean\n{found.b}", "shift", "95 % by person"]
    columns += [f"{share:.0%}" for share in QUANTILES]
    table = new_table("Scores, second less first; shares of recordings below", columns, right=columns[1:])
    for shift in found.shifts:
        interval = _say_interval(shift.shift.low, shift.shift.high, is_signed=True)
        means = (f"{shift.mean_a:.3f}", f"{shift.mean_b:.3f}", f"{shift.shift.mean:+.3f}")
        table.add_row(shift.label, *means, interval, *(f"{value:+.3f}" for value in shift.quantiles))
    return table


def _tabulate_persons(found: Comparison) -> Table:
    persons = found.persons
    title = f"The class that moves most of each person with {persons.least_notes} notes or more"
    columns = ["persons", "counted", *(f"{share:.0%}" for share in QUANTILES)]
    table = new_table(title, columns, right=columns)
    quantiles = [f"{value:.3f}" for value in persons.quantiles] or [""] * len(QUANTILES)
    table.add_row(str(persons.n_persons), str(persons.n_counted), *quantiles)
    return table


def _tabulate_movers(found: Comparison) -> Table:
    labels = list(found.persons.movers[0].shifts)
    table = new_table("Who moves most", ["tenant", "person", "notes", *labels], right=["notes", *labels])
    for move in found.persons.movers:
        shifts = [f"{move.shifts[label]:+.3f}" for label in labels]
        table.add_row(move.tenant, move.subject, str(move.n_notes), *shifts)
    return table


def _tabulate_cost(found: Comparison) -> Table:
    columns = ["version", "measured", "seconds of work for an hour of audio", "peak MiB"]
    table = new_table("Cost", columns, right=columns[1:])
    for name, cost in ((found.a, found.cost_a), (found.b, found.cost_b)):
        seconds = "not kept" if cost.wall_s_per_hour is None else f"{cost.wall_s_per_hour:.1f}"
        peak = "not kept" if cost.peak_rss_kib is None else f"{cost.peak_rss_kib / 1024:.0f}"
        table.add_row(name, str(cost.n_measured), seconds, peak)
    return table


def _say_share(share: float | None) -> str:
    return "-" if share is None else f"{share:.3f}"


def _say_interval(low: float | None, high: float | None, *, places: int = 3, is_signed: bool = False) -> str:
    if low is None or high is None:
        return "-"
    sign = "+" if is_signed else ""
    return f"{low:{sign}.{places}f} to {high:{sign}.{places}f}"
