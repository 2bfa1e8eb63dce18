"""All tables of `tonalog evaluate personal` at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from training.measures.predictions import Predictions
from training.studies.personal.calibrate import CalibrationOutcome, measure_calibration
from training.studies.personal.draws import EVEN
from training.studies.personal.outcome import Outcome
from training.studies.personal.scores import keep_known_speakers
from training.studies.personal.table import format_calibration, format_ordinary, format_tables
from training.studies.personal.trial import Protocol, measure_corpus, measure_reference
from trends import Baseline, BaselineRule, write_baseline

ORDINARY_N_NOTES = (5, 10)


@dataclass(frozen=True)
class Report:
    """What baselines change on all corpora, by each rule.

    Attributes:
        baselines: reference and rule, as a manifest would carry them, one a rule.
        outcomes: of labelled corpora.
        ordinary: of ordinary speech.
        calibration: of labelled corpora; nothing of a single one.
    """

    baselines: tuple[Baseline, ...]
    outcomes: tuple[Outcome, ...]
    ordinary: tuple[Outcome, ...]
    calibration: tuple[CalibrationOutcome, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "baselines": [write_baseline(baseline) for baseline in self.baselines],
            "outcomes": [asdict(outcome) for outcome in self.outcomes],
            "ordinary": [asdict(outcome) for outcome in self.ordinary],
            "calibration": [asdict(outcome) for outcome in self.calibration],
        }

    def format(self) -> list[str]:
        """Return it as lines of Markdown."""
        lines = format_tables(self.outcomes)
        if self.ordinary:
            lines += ["", *format_ordinary(self.ordinary)]
        if self.calibration:
            lines += ["", *format_calibration(self.calibration)]
        rules = [
            ", ".join(f"{name} {value}" for name, value in baseline.rule.as_dict().items())
            for baseline in self.baselines
        ]
        return [*lines, "", *(f"rule: {rule}" for rule in rules)]


def measure_report(
    corpora: Mapping[str, Predictions],
    *,
    ordinary: Mapping[str, Predictions],
    training: Predictions,
    rules: Sequence[BaselineRule],
    protocol: Protocol,
) -> Report:
    """Judge all corpora by all rules.

    Args:
        corpora: name to scores of a labelled corpus, at least one.
        ordinary: name to scores of ordinary speech, all of it neutral; sets without a known speaker are left out.
        training: scores of training's own corpus, for the reference.
        rules: at least one; all have the floor of the first.
        protocol: what is drawn; ordinary speech has baselines of 5 and 10 notes.

    Raises:
        ValueError: labels differ, an utterance stands twice in one fold, or a label has no recording in training.
    """
    reference = measure_reference(training, rules[0])
    calm_protocol = replace(protocol, mixes=(EVEN,), n_notes=ORDINARY_N_NOTES)
    known = {name: keep_known_speakers(predictions) for name, predictions in ordinary.items()}
    return Report(
        tuple(Baseline(reference, rule) for rule in rules),
        tuple(
            outcome
            for name, predictions in corpora.items()
            for outcome in measure_corpus(name, predictions, reference=reference, rules=rules, protocol=protocol)
        ),
        tuple(
            outcome
            for name, predictions in known.items()
            if predictions is not None
            for outcome in measure_corpus(name, predictions, reference=reference, rules=rules, protocol=calm_protocol)
        ),
        tuple(measure_calibration(corpora, reference=reference, rules=rules, protocol=protocol)),
    )
