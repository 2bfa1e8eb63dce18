"""What the persons of a tenant have in common, as it is known while people are refreshed."""

from db import Engine
from db.people_notes import read_newest_own
from db.rows import Model
from trends import Baseline, OwnOffset, TenantOffset, measure_tenant_offset


class Tenants:
    """Each person's newest own offset by tenant and model: read once, and kept up to date with what is refreshed.

    One of these lives as long as one call of `refresh`, so that thousands of people of a tenant cost one reading.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[tuple[str, int], dict[str, OwnOffset]] = {}

    def note(self, tenant: str, subject: str, *, model: Model, section: Baseline, own: OwnOffset) -> None:
        """Take a person's newest own offset from here on."""
        self._of(tenant, model, section)[subject] = own

    def without(self, tenant: str, subject: str, *, model: Model, section: Baseline) -> TenantOffset:
        """Return what the others of a tenant have in common, the person left out.

        Raises:
            ValueError: a stored offset has other labels than the model.
        """
        known = self._of(tenant, model, section)
        others = [own for name, own in sorted(known.items()) if name != subject]
        return measure_tenant_offset(others, section.reference, section.rule)

    def _of(self, tenant: str, model: Model, section: Baseline) -> dict[str, OwnOffset]:
        key = (tenant, model.id)
        if key not in self._known:
            labels = section.reference.labels
            self._known[key] = {
                row.subject: OwnOffset(tuple(row.own_values[label] for label in labels), row.n_effective)
                for row in read_newest_own(self._engine, tenant, model_id=model.id)
            }
        return self._known[key]
