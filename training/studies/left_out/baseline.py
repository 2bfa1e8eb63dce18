"""What is known of a bundle's training that a person's own baseline needs: from its manifest, or measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from training.studies.left_out.scored import ScoredCorpus
from training.studies.personal import measure_reference
from trends import Baseline, BaselineRule, Reference, make_middle_mix_rule, read_baseline, spread_mix
from worker.scoring.bundle import Bundle

MANIFEST = "manifest"


@dataclass(frozen=True)
class KnownBaseline:
    """Reference and rules that a bundle's baselines are estimated by.

    Attributes:
        source: of the reference: `manifest`, or what it was measured on.
        reference: mean log scores by true label.
        middle: rule of the middle mix, version 1.
        own: rule of the bundle's manifest; None where the manifest has none.
    """

    source: str
    reference: Reference
    middle: BaselineRule
    own: BaselineRule | None

    @property
    def rules(self) -> list[BaselineRule]:
        """That of the middle mix, and the bundle's own where it has one."""
        return [self.middle] if self.own is None else [self.middle, self.own]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "source": self.source,
            "reference": self.reference.as_dict(),
            "rules": [rule.as_dict() for rule in self.rules],
        }


def read_known(bundle: Bundle) -> KnownBaseline | None:
    """Return what a bundle's manifest says, or None where it has no `baseline`."""
    manifest = bundle.manifest
    if manifest.baseline is None:
        return None
    return complete_baseline(read_baseline(manifest.baseline, labels=manifest.labels), source=MANIFEST)


def complete_baseline(baseline: Baseline, *, source: str) -> KnownBaseline:
    """Return reference and rule with the rule of the middle mix beside it, at the same floor."""
    middle = replace(make_middle_mix_rule(spread_mix(baseline.reference.labels)), floor=baseline.rule.floor)
    return KnownBaseline(source, baseline.reference, middle, baseline.rule)


def measure_known(scored: ScoredCorpus) -> KnownBaseline:
    """Measure a reference on the corpus of training, for a bundle whose manifest has none.

    Raises:
        ValueError: nobody rated it, nothing of it has scores, a label has none, or scores do not tell its labels apart.
    """
    if scored.is_assumed:
        raise ValueError(f"reference {scored.name} is ordinary speech that nobody rated; needed is a labelled corpus")
    if not scored.is_scored.any():
        raise ValueError(f"reference {scored.name} has no recording with scores; needed is one of each label")
    middle = make_middle_mix_rule(spread_mix(scored.labels))
    return KnownBaseline(scored.name, measure_reference(scored.as_predictions(), middle), middle, None)
