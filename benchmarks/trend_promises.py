"""Hold the statistics of `trends` to their promises on simulated persons, and print the table; exit 1 where one is broken.

python -m benchmarks.trend_promises [--people 4000] [--seed 2026] [--tune]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.protocol import print_protocol
from benchmarks.trend_people import (
    TEXTBOOK_DAYS,
    judge_whole,
    make_days,
    wander,
    was_flagged,
    watch,
    watch_by_the_textbook,
)
from benchmarks.trend_voice import describe_bias, make_pools, share_flagged
from trends import VOICE_MEASURES, TrendSettings

MONITORED = 90
GAPS = 0.4
SETTINGS = TrendSettings()
TUNING_SEED = 7  # the constant of the limit was chosen with this one; no table is made with it


@dataclass(frozen=True)
class Row:
    """One measured figure, and what is promised of it."""

    what: str
    share: float
    at_least: float = 0.0
    at_most: float = 1.0
    is_promise: bool = True

    @property
    def holds(self) -> bool:
        """Whether the promise is kept; what is only told is always."""
        return not self.is_promise or self.at_least <= self.share <= self.at_most

    def __str__(self) -> str:
        promised = ""
        if self.is_promise and self.at_least:
            promised = (
                f"{self.at_least:.0%} to {self.at_most:.0%}" if self.at_most < 1 else f"{self.at_least:.0%} or more"
            )
        elif self.is_promise:
            promised = f"{self.at_most:.0%} or less"
        verdict = "" if not self.is_promise else "holds" if self.holds else "BROKEN"
        return f"{self.what:<88} {self.share:>7.1%}  {promised:<12}  {verdict}".rstrip()


def check_false_alarms(n_people: int, seed: int) -> Iterator[Row]:
    """Share of persons without any change that are ever flagged, and how often the interval of a fortnight is right."""
    for rho, most in ((0.0, 0.05), (0.3, 0.05), (0.5, 0.08)):
        for n_baseline in (60, 90):
            outcome = watch(_draw(n_people, n_baseline, rho=rho, seed=seed), n_baseline, SETTINGS)
            where = f"autocorrelation {rho}, {n_baseline} baseline days"
            yield Row(f"ever flagged without a change, {where}", outcome.share_ever(), at_most=most)
            yield Row(f"interval of the last 14 days covers the truth, {where}", outcome.coverage, 0.93, 0.97)


def show_textbook(n_people: int, seed: int) -> Iterator[Row]:
    """Show the same of a textbook chart and a naive interval."""
    for rho in (0.0, 0.3, 0.5):
        outcome = watch_by_the_textbook(_draw(n_people, TEXTBOOK_DAYS, rho=rho, seed=seed))
        where = f"autocorrelation {rho}, {TEXTBOOK_DAYS} baseline days"
        yield Row(f"textbook chart: ever flagged without a change, {where}", outcome.share_ever(), is_promise=False)
        yield Row(f"naive interval covers the truth, {where}", outcome.coverage, is_promise=False)


def check_power(n_people: int, seed: int) -> Iterator[Row]:
    """Share of persons who shifted that are flagged so many days after it."""
    for n_baseline, size, promised in ((90, 0.8, True), (60, 0.8, False), (90, 0.5, False), (90, 1.2, False)):
        days = _draw(n_people, n_baseline, rho=0.3, seed=seed)
        days[:, n_baseline:] += size
        outcome = watch(days, n_baseline, SETTINGS, shift=size)
        for n_days, least in ((28, 0.35), (45, 0.6), (90, 0.0)):
            what = f"flagged within {n_days} days of a shift of {size} SD, {n_baseline} baseline days"
            yield Row(what, outcome.share_ever(n_days), least, is_promise=promised and least > 0)
    days = _draw(n_people, 90, rho=0.3, seed=seed)
    days[:, 90 + 30 :] += 0.8
    outcome = watch(days, 90, SETTINGS, shift=0.8)
    before = outcome.is_flagged[:, :30].any(axis=1)
    for n_days in (28, 45):
        flagged = outcome.is_flagged[~before, 30 : 30 + n_days].any(axis=1).mean()
        what = f"the same within {n_days} days, 0.8 SD, 90 baseline days, after 30 quiet days"
        yield Row(what, float(flagged), is_promise=False)


def show_limits(n_people: int, seed: int) -> Iterator[Row]:
    """Show how false alarms grow where the days are not as the promise says."""
    days = _draw(n_people, 90, rho=0.3, seed=seed, n_monitored=365)
    yield Row(
        "ever flagged without a change within a year, 0.3, 90 baseline days",
        watch(days, 90, SETTINGS).share_ever(),
        is_promise=False,
    )
    days = _draw(n_people, 90, rho=0.3, seed=seed, tails=4)
    yield Row(
        "the same in 90 days where days have heavy tails (t, 4)", watch(days, 90, SETTINGS).share_ever(), at_most=0.05
    )
    days = _draw(n_people, 90, rho=0.7, seed=seed)
    yield Row("the same in 90 days at autocorrelation 0.7", watch(days, 90, SETTINGS).share_ever(), is_promise=False)
    slow = _draw(n_people, 90, rho=0.9, seed=seed) * np.sqrt(1 / 3) + _draw(
        n_people, 90, rho=0.0, seed=seed + 1
    ) * np.sqrt(2 / 3)
    yield Row(
        "the same where a third of the variance swings over weeks (0.9)",
        watch(slow, 90, SETTINGS).share_ever(),
        is_promise=False,
    )
    several = [_draw(n_people, 90, rho=0.3, seed=seed + place) for place in range(4)]
    for settings, words in ((SETTINGS, "each by itself"), (replace(SETTINGS, n_measures=4), "n_measures=4")):
        flagged = np.any([watch(days, 90, settings).is_flagged.any(axis=1) for days in several], axis=0).mean()
        yield Row(
            f"any of four measures ever flagged, {words}",
            float(flagged),
            at_most=0.05,
            is_promise=settings.n_measures > 1,
        )


def check_nuisances(n_people: int, seed: int) -> Iterator[Row]:
    """Share ever flagged of persons to whom something happens that is no shift; by the product's front door, person by person."""
    rng = np.random.default_rng(seed)
    n_days = 60 + MONITORED
    people = wander(rng, n_people, n_days, rho=0.3)
    long = n_days + 50  # so that ninety days or so remain after sixty that were observed
    gaps = wander(rng, n_people, long, rho=0.3)
    gaps[rng.random(gaps.shape) < GAPS] = np.nan
    yield _judge("two days in five without a note", [make_days(person) for person in gaps], long)
    away = people.copy()
    away[:, 80:110] = np.nan
    yield _judge("a month without a note", [make_days(person) for person in away], n_days)
    odd = people.copy()
    odd[:, 100] += 6.0
    yield _judge("one long note that is 6 SD off", [make_days(person) for person in odd], n_days)
    switched = []
    for person in people:
        later = 1.5 + 1.1 * (person + 0.4 * rng.standard_normal(n_days))
        switched.append(make_days(person[:95]) + make_days(later[75:], model="m-2", first=75))
    yield _judge("a change of model with 20 days that both scored", switched, n_days, model="m-2")
    for before, after in ((40, 2), (2, 40)):
        levels, _, spreads = _speak(rng, n_people, before=before, after=after)
        windows = np.repeat([before, after], [60, MONITORED])
        what = f"notes of {before} windows become notes of {after}"
        yield _judge(
            what,
            [make_days(person, n_windows=windows, spreads=sds) for person, sds in zip(levels, spreads, strict=True)],
            n_days,
        )


def check_voice(n_people: int, seed: int) -> Iterator[Row]:
    """Share ever flagged in a measure of the voice of persons whose notes change in nothing but their length."""
    pools = make_pools(np.random.default_rng([seed, 1]), 200, (2.0, 5.0, 40.0))
    for name, bias in describe_bias(pools).items():
        yield Row(
            f"{name}: notes of 2 windows against those of 40, in SD between notes of a person",
            abs(bias[2.0]),
            at_most=0.2,
        )
    most = 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / n_people)
    for name, measure in VOICE_MEASURES.items():
        for before, after in ((40.0, 2.0), (2.0, 40.0)):
            lengths = {"before": before, "after": after, "n_baseline": 60, "n_monitored": MONITORED}
            share = share_flagged(measure, pools, n_people=n_people, seed=seed, **lengths)
            yield Row(
                f"ever flagged in {name}, notes of {before:g} windows become {after:g}", share, at_most=float(most)
            )


def print_weights(n_days: int, seed: int) -> None:
    """Print by how much days scatter that have three notes of 2, 5 and 75 windows, by the weights of the notes."""
    rng = np.random.default_rng(seed)
    windows = np.array([2.0, 5.0, 75.0])
    print(
        f"SD of days with notes of 2, 5 and 75 windows, log odds, {n_days} days; notes differ by SD b, windows of a note by SD w"
    )
    for between, within in ((0.52, 0.65), (0.7, 1.0), (0.25, 1.0)):
        spread = np.sqrt(between**2 + within**2 / windows)
        notes = spread * rng.standard_normal((n_days, 3))
        ways = {"equal": np.ones(3), "by speech": windows, "inverse variance": spread**-2}
        scatter = {name: float((notes @ weights / weights.sum()).std()) for name, weights in ways.items()}
        print(f"b {between}, w {within}: " + ", ".join(f"{name} {sd:.3f}" for name, sd in scatter.items()))


def print_lengths(n_people: int, seed: int) -> None:
    """Print what a note's length does to its level by either way of pooling."""
    print(
        "mean level of notes of a person who does not change, log odds: mean of windows' log odds; log odds of the pooled score"
    )
    for n_windows in (2, 5, 40):
        means, pooled, _ = _speak(np.random.default_rng(seed), n_people, before=n_windows, after=n_windows)
        print(f"notes of {n_windows} windows: {means.mean():.2f}; {pooled.mean():.2f}")


def tune(n_people: int) -> Iterator[Row]:
    """Show what the constant of the limit was chosen by: false alarms with another seed."""
    for rho in (0.3, 0.5):
        for n_baseline in (60, 90):
            outcome = watch(_draw(n_people, n_baseline, rho=rho, seed=TUNING_SEED), n_baseline, SETTINGS)
            yield Row(
                f"tuning: ever flagged, autocorrelation {rho}, {n_baseline} baseline days",
                outcome.share_ever(),
                is_promise=False,
            )


def main() -> int:
    """Print the table; return 1 where a promise is broken."""
    options = _read_options()
    began = time.monotonic()
    print_protocol(
        f"{options.people} simulated persons a row, {MONITORED} monitored days, seed {options.seed}; {options.few} persons where each is judged day by day",
        order="one row after the other, each with its own persons",
    )
    print_weights(10 * options.people, options.seed)
    print_lengths(options.few, options.seed)
    broken = 0
    checks = (check_false_alarms, show_textbook, check_power, show_limits)
    rows = (
        tune(options.people)
        if options.tune
        else (row for check in checks for row in check(options.people, options.seed))
    )
    for row in rows:
        print(row, flush=True)
        broken += not row.holds
    for row in () if options.tune else check_nuisances(options.few, options.seed):
        print(row, flush=True)
        broken += not row.holds
    for row in () if options.tune else check_voice(options.few // 2, options.seed):
        print(row, flush=True)
        broken += not row.holds
    print(f"{broken} broken, {time.monotonic() - began:.0f} s")
    return 1 if broken else 0


def _draw(
    n_people: int, n_baseline: int, *, rho: float, seed: int, tails: float = np.inf, n_monitored: int = MONITORED
) -> np.ndarray:
    rng = np.random.default_rng([seed, n_baseline, round(100 * rho)])
    return wander(rng, n_people, n_baseline + n_monitored, rho=rho, tails=tails)


def _speak(rng: np.random.Generator, n_people: int, *, before: int, after: int) -> tuple[np.ndarray, ...]:
    """Return days of one note each: means of windows' log odds, log odds of means of their scores, and spreads of windows."""
    level = -1.5 + 0.7 * wander(rng, n_people, 60 + MONITORED, rho=0.3)
    means, pooled, spreads = (np.empty_like(level) for _ in range(3))
    for days, n_windows in ((slice(0, 60), before), (slice(60, None), after)):
        windows = level[:, days, None] + 1.2 * rng.standard_normal((*level[:, days].shape, n_windows))
        means[:, days], spreads[:, days] = windows.mean(axis=2), windows.std(axis=2, ddof=1)
        scores = (1 / (1 + np.exp(-windows))).mean(axis=2)
        pooled[:, days] = np.log(scores / (1 - scores))
    return means, pooled, spreads


def _judge(what: str, people: list, n_days: int, *, model: str = "m-1") -> Row:
    flagged = [was_flagged(judge_whole(days, n_days, SETTINGS, model=model), SETTINGS) for days in people]
    # Of so few persons one in twenty may be one in twelve by chance.
    most = 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / len(flagged))
    return Row(f"ever flagged without a change, 60 baseline days, {what}", float(np.mean(flagged)), at_most=float(most))


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=4000, help="a row, 4000 by default")
    parser.add_argument("--few", type=int, default=400, help="where each is judged day by day, 400 by default")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument(
        "--tune", action="store_true", help="only false alarms, with the seed that the limit was tuned with"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
