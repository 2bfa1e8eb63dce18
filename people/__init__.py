"""What is kept of a person: own baselines, relative scores, days and trends; `db` reads and writes, `trends` computes."""

from people.refreshing import Refreshed, refresh
from people.steps import BASELINE_STEPS

__all__ = ["BASELINE_STEPS", "Refreshed", "refresh"]
