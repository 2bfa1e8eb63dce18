"""A person's usual level of one measure: days that are chosen once, in order, and then kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, timedelta
from typing import Any

import numpy as np

from trends.autocorrelation import Fit, fit_days
from trends.calendar_row import lay_out
from trends.day import Day
from trends.evidence import Amount, count_days
from trends.numbers import read_number, read_whole_number
from trends.settings import TrendSettings

METHOD_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class DayBaseline:
    """What is usual for a person, in one measure and by one model; keep it, and give it to `judge_person` again.

    Attributes:
        model: that scored the days.
        first_day: of the days that it is made of.
        last_day: of those; the days after it are watched.
        n_days: observed ones.
        n_notes: scored ones in them.
        speech_s: in them.
        mean: of the days' levels.
        sd: of single days, at least the settings' `smallest_sd`.
        rho: autocorrelation of neighbouring days, shrunk towards the settings' prior.
        rho_sd: how uncertain that is.
        information: the mean has variance ``sd ** 2 / information``.
        noise: mean squared standard error of the days.
        method_version: of the formulas.
    """

    model: str
    first_day: date
    last_day: date
    n_days: int
    n_notes: int
    speech_s: float
    mean: float
    sd: float
    rho: float
    rho_sd: float
    information: float
    noise: float
    method_version: int = METHOD_VERSION

    @property
    def amount(self) -> Amount:
        """Return how much is behind it."""
        return Amount(days=self.n_days, notes=self.n_notes, speech_s=self.speech_s)

    def as_fit(self) -> Fit:
        """Return it as the arithmetic for many persons takes it."""
        values = (self.mean, self.sd, self.rho, self.rho_sd, self.information, float(self.n_days))
        return Fit(*(np.array([value]) for value in values))

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON; `read_day_baseline` reads it."""
        days = {"first_day": self.first_day.isoformat(), "last_day": self.last_day.isoformat()}
        return asdict(self) | days


def read_day_baseline(raw: Mapping[str, Any]) -> DayBaseline:
    """Return a baseline that was kept.

    Raises:
        ValueError: a key lacks or is unknown, a value is none of its kind, or another version of the method made it.
    """
    names = {field.name for field in fields(DayBaseline)}
    if set(raw) != names:
        raise ValueError(f"baseline has keys {sorted(raw)}; needed are {sorted(names)}")
    version = read_whole_number("method_version", raw["method_version"])
    if version != METHOD_VERSION:
        raise ValueError(f"baseline is of version {version} of the method; known is {METHOD_VERSION}")
    baseline = DayBaseline(
        model=str(raw["model"]),
        first_day=date.fromisoformat(raw["first_day"]),
        last_day=date.fromisoformat(raw["last_day"]),
        n_days=read_whole_number("n_days", raw["n_days"]),
        n_notes=read_whole_number("n_notes", raw["n_notes"]),
        speech_s=read_number("speech_s", raw["speech_s"]),
        mean=read_number("mean", raw["mean"]),
        sd=read_number("sd", raw["sd"]),
        rho=read_number("rho", raw["rho"]),
        rho_sd=read_number("rho_sd", raw["rho_sd"]),
        information=read_number("information", raw["information"]),
        noise=read_number("noise", raw["noise"]),
    )
    if not (baseline.sd > 0 and baseline.information > 0 and abs(baseline.rho) < 1):
        raise ValueError(f"baseline is {baseline}; needed are sd and information over 0 and rho between -1 and 1")
    return baseline


def freeze_day_baseline(days: Sequence[Day], settings: TrendSettings) -> DayBaseline | None:
    """Return the first baseline that a person's days give, None as long as there are too few.

    It ends on the earliest day on which the days up to it, as far back as the settings' span goes, are enough. Later days change
    nothing about it; days that were registered late and lie before its end would, so keep it once it is made.

    Args:
        days: of one person, measure and model, in any order; those without a level are gaps.
        settings: what is enough.

    Raises:
        ValueError: days of several models, or one day twice.
    """
    known = sorted((day for day in days if day.level is not None), key=lambda day: day.day)
    if len({day.model for day in known}) > 1:
        raise ValueError(f"days are of models {sorted({day.model for day in known})}; a baseline has one")
    for end, last in enumerate(known):
        earliest = last.day - timedelta(days=settings.baseline_span_days - 1)
        chosen = [day for day in known[: end + 1] if day.day >= earliest]
        if count_days(chosen).find_lack(settings.needed_for_baseline) is None:
            return _describe(chosen, settings)
    return None


def _describe(days: Sequence[Day], settings: TrendSettings) -> DayBaseline:
    levels = {day.day: day.level for day in days if day.level is not None}
    if len(levels) < len(days):
        raise ValueError(f"{len(days)} levels are of {len(levels)} days; each day has one")
    row = lay_out(levels, days[0].day, days[-1].day)
    fit = fit_days(row, prior_rho=settings.prior_rho, prior_rho_sd=settings.prior_rho_sd)
    amount = count_days(days)
    return DayBaseline(
        model=days[0].model,
        first_day=days[0].day,
        last_day=days[-1].day,
        n_days=amount.days,
        n_notes=amount.notes,
        speech_s=amount.speech_s,
        mean=float(fit.mean[0]),
        sd=max(float(fit.sd[0]), settings.smallest_sd),
        rho=float(fit.rho[0]),
        rho_sd=float(fit.rho_sd[0]),
        information=float(fit.information[0]),
        noise=sum((day.error or 0.0) ** 2 for day in days) / len(days),
    )
