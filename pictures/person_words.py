"""What a person's numbers come to, in sentences: state first, then the numbers behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pictures.axes import say_day, say_score
from pictures.person import Measure, Mix, OwnBaseline, PersonPage
from pictures.voice_words import VOICE_WORDS, say_value
from trends import PersonTrend, TrendReason, TrendSettings, TrendState, find_measure

HIDDEN = (
    "A baseline hides what is always there: somebody who has sounded sad in every note looks ordinary here, because the "
    "comparison is with their own notes."
)
UNREAD = "kept by another release of Tonalog; the next refresh makes it anew."
MEANING = (
    "Expressed emotion in the voice as this model hears it: not feelings, and not a diagnosis. A person is compared with "
    "their own earlier notes and with nobody else."
)


def say_state(measure: Measure, settings: TrendSettings) -> str:
    """Return one sentence: where the measure is, or what lacks."""
    trend = measure.trend
    if trend.state is TrendState.INSUFFICIENT:
        return say_lack(trend, settings)
    if trend.state is TrendState.STABLE:
        return f"as usual in the last {settings.recent_days} days."
    is_up = trend.state is TrendState.SHIFTED_UP
    since = "" if trend.shift is None else f", since about {say_day(trend.shift.since)}"
    if measure.is_of_voice:
        known = find_measure(measure.name)
        return f"{known.more if is_up else known.less} than is usual for this person{since}."
    return f"{'more' if is_up else 'less'} than usual{since}."


def say_lack(trend: PersonTrend, settings: TrendSettings) -> str:
    """Return what there is and what is needed, where there is too little to say anything."""
    baseline, recent = trend.evidence.baseline, trend.evidence.recent
    lately = f"in the last {settings.recent_days} days"
    sentences = {
        TrendReason.TOO_FEW_BASELINE_DAYS: f"too few notes yet: {baseline.days} of {settings.baseline_days} days.",
        TrendReason.TOO_FEW_BASELINE_NOTES: f"too few notes yet: {baseline.notes} of {settings.baseline_notes}.",
        TrendReason.TOO_LITTLE_BASELINE_SPEECH: (
            f"too little speech yet: {_minutes(baseline.speech_s)} of {_minutes(settings.baseline_speech_s)} minutes."
        ),
        TrendReason.BASELINE_DAYS_TOO_FAR_APART: (
            f"the days with notes are too far apart: {settings.baseline_days} are needed within "
            f"{settings.baseline_span_days}."
        ),
        TrendReason.TOO_FEW_RECENT_DAYS: (
            f"too few notes lately: {recent.days} of {settings.recent_min_days} days {lately}."
        ),
        TrendReason.TOO_FEW_RECENT_NOTES: f"too few notes lately: {recent.notes} of {settings.recent_min_notes} {lately}.",
        TrendReason.TOO_LITTLE_RECENT_SPEECH: (
            f"too little speech lately: {recent.speech_s:.0f} of {settings.recent_min_speech_s:.0f} seconds {lately}."
        ),
    }
    sentence = sentences[trend.reason]
    return f"{sentence} A new model began a new baseline." if trend.is_restarted else sentence


def say_why(measure: Measure, settings: TrendSettings) -> str | None:
    """Return the numbers behind a state; None where there are none."""
    trend = measure.trend
    if trend.baseline is None or trend.recent is None:
        return None
    recent, sd = trend.recent, trend.baseline.sd
    level, usual = (say_level(value, measure.name) for value in (recent.level, trend.baseline.mean))
    side = "above" if recent.difference >= 0 else "below"
    distance = f"{abs(recent.effect_size):.1f} standard deviations of single days {side}"
    interval = f"{settings.confidence:.0%} interval {_signed(recent.low / sd)} to {_signed(recent.high / sd)}"
    sentences = [f"Mean of the last {settings.recent_days} days {level}, usual {usual}: {distance} ({interval})."]
    if trend.shift is not None:
        on = say_day(trend.shift.flagged_on)
        sentences.append(
            f"The moving average left its limits on {on}; the change most likely began on {say_day(trend.shift.since)}."
        )
    else:
        sentences.append("The moving average is within its limits.")
    baseline = trend.baseline
    sentences.append(
        f"Usual is what {baseline.n_days} days from {say_day(baseline.first_day, has_year=True)} to "
        f"{say_day(baseline.last_day, has_year=True)} came to ({baseline.n_notes} notes)."
    )
    if trend.offset is not None:
        sentences.append(
            f"The model was changed; {trend.offset.n_days} days that both models scored put {trend.offset.later} on the "
            f"scale of {trend.offset.earlier}."
        )
    return " ".join(sentences)


def say_recent(page: PersonPage) -> str | None:
    """Return what the recent notes come to, or since when there are none; None where there never was one."""
    if page.mix is not None:
        return say_mix(page.mix)
    last = max((day.day for day in page.days if day.n_scored), default=None)
    if last is None:
        return None
    n_days = page.settings.recent_days
    return f"No scored notes in the last {n_days} days: the last one is of {say_day(last, has_year=True)}."


def say_mix(mix: Mix) -> str:
    """Return what the recent notes come to, what is unusual first."""
    heard = _top(mix.scores)
    period = f"{mix.n_notes} scored notes from {say_day(mix.first_day)} to {say_day(mix.last_day)}"
    if mix.relative is None:
        return f"In {period} the model hears mostly {heard}."
    unusual = _top(mix.relative)
    return f"{period[0].upper()}{period[1:]}: relative to this person mostly {unusual}; as the model hears them mostly {heard}."


def say_own(own: OwnBaseline | None) -> str:
    """Return what relative scores compare with, or why there are none."""
    if own is None:
        return "This model has no rule for relative scores."
    if not own.is_personal:
        return f"Too few notes yet for relative scores: {own.n_notes} of {own.needed_notes}."
    period = ""
    if own.first_day is not None and own.last_day is not None:
        period = f" from {say_day(own.first_day, has_year=True)} to {say_day(own.last_day, has_year=True)}"
    return f"Relative scores compare with {own.n_notes} earlier notes of this person{period}."


def list_states(
    measures: Sequence[Measure], settings: TrendSettings, *, unread: Sequence[str] = ()
) -> list[tuple[str, str, str]]:
    """Return each measure's name, its sentence and its state; alike lacks are told once, for all measures together."""
    found = [(say_name(one.name), say_state(one, settings), one.trend.state.value) for one in measures]
    found += [(say_name(name), UNREAD, "unread") for name in unread]
    sentences = {sentence for _, sentence, _ in found}
    if len(sentences) == 1 and len(found) > 1:
        return [("All measures", *found[0][1:])]
    return found


def say_name(name: str) -> str:
    """Write a measure's name as a heading.

    >>> say_name("sadness"), say_name("pitch_median_hz")
    ('Sadness', 'Pitch')
    """
    return VOICE_WORDS[name].heading if name in VOICE_WORDS else name.replace("_", " ").capitalize()


def say_level(level: float, name: str) -> str:
    """Write a level as the value that it is: of a label a score, of a measure of the voice with its unit."""
    return say_value(name, find_measure(name).from_level(level)) if name in VOICE_WORDS else say_score(level)


def _top(scores: Mapping[str, float]) -> str:
    label = max(scores, key=scores.__getitem__)
    return f"{label} ({scores[label]:.2f})".replace("(0.", "(.")


def _signed(value: float) -> str:
    rounded = round(value, 1)
    return f"{rounded:+.1f}".replace("-", "\N{MINUS SIGN}") if rounded else "0.0"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f}"
