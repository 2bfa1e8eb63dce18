"""Who trains, who validates and who is tested, and that nobody is on two sides."""

from training.protocols.folds import assign_folds
from training.protocols.leaks import LeakError
from training.protocols.roles import RoleError
from training.protocols.splits import (
    Protocol,
    Split,
    cross_corpora,
    cross_validate_speakers,
    hold_out_shuffled,
    leave_one_session_out,
)

__all__ = [
    "LeakError",
    "Protocol",
    "RoleError",
    "Split",
    "assign_folds",
    "cross_corpora",
    "cross_validate_speakers",
    "hold_out_shuffled",
    "leave_one_session_out",
]
