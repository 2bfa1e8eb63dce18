"""What CREMA-D tells about its actors, and the groups that follow from it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

AGE_BOUNDS = (30, 50)  # years: bands under 30, 30 to 49, 50 and over
COLUMNS = ("ActorID", "Age", "Sex", "Race", "Ethnicity")


@dataclass(frozen=True)
class Actor:
    """One row of VideoDemographics.csv, in the corpus's own words.

    Attributes:
        age_years: when recorded.
        sex, race, ethnicity: for instance `Female`, `Asian`, `Not Hispanic`.
    """

    age_years: int
    sex: str
    race: str
    ethnicity: str


def read_actors(path: Path) -> dict[str, Actor]:
    """Read VideoDemographics.csv.

    Args:
        path: with the columns ActorID, Age, Sex, Race and Ethnicity.

    Returns:
        Actors by id.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a column is lacking or an age is no whole number.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        names = tuple(reader.fieldnames or ())
        rows = list(reader)
    lacking = [name for name in COLUMNS if name not in names]
    if lacking:
        raise ValueError(f"{path} has columns {', '.join(names)}; {', '.join(lacking)} are needed as well")
    return {row["ActorID"]: Actor(int(row["Age"]), row["Sex"], row["Race"], row["Ethnicity"]) for row in rows}


def name_age_band(age_years: int, bounds: tuple[int, ...] = AGE_BOUNDS) -> str:
    """Return the band of an age.

    Args:
        age_years: 0 or more.
        bounds: rising; each begins a new band.

    >>> [name_age_band(age) for age in (29, 30, 50)]
    ['under 30', '30 to 49', '50 and over']
    """
    if age_years < bounds[0]:
        return f"under {bounds[0]}"
    for low, high in pairwise(bounds):
        if age_years < high:
            return f"{low} to {high - 1}"
    return f"{bounds[-1]} and over"


def group_speakers(speakers: Iterable[str], actors: Mapping[str, Actor]) -> dict[str, dict[str, frozenset[str]]]:
    """Part speakers by sex, age, race and ethnicity.

    Args:
        speakers: ids as predictions have them: an actor's id, with or without a corpus's name and a slash before it.
        actors: by id.

    Returns:
        For each attribute, its groups by name (ages rising, others by size, largest first) and each group's speakers.

    Raises:
        ValueError: a speaker is no known actor.
    """
    known = {speaker: speaker.rsplit("/", 1)[-1] for speaker in sorted(set(speakers))}
    strange = sorted(speaker for speaker, actor in known.items() if actor not in actors)
    if strange:
        raise ValueError(f"speaker {strange[0]!r} is none of the {len(actors)} actors")
    rows = {speaker: actors[actor] for speaker, actor in known.items()}
    by_age = sorted(rows, key=lambda speaker: rows[speaker].age_years)
    return {
        "sex": _order(_part({speaker: actor.sex for speaker, actor in rows.items()})),
        "age": _part({speaker: name_age_band(rows[speaker].age_years) for speaker in by_age}),
        "race": _order(_part({speaker: actor.race for speaker, actor in rows.items()})),
        "ethnicity": _order(_part({speaker: actor.ethnicity for speaker, actor in rows.items()})),
    }


def _part(named: Mapping[str, str]) -> dict[str, frozenset[str]]:
    return {
        group: frozenset(speaker for speaker, name in named.items() if name == group)
        for group in dict.fromkeys(named.values())
    }


def _order(groups: dict[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    return dict(sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])))
