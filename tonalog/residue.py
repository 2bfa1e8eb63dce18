"""Tells an operator what a database keeps of erased rows, and who can remove it."""

from db.residue import Residue
from tonalog.screen import say


def tell_residue(residue: Residue) -> None:
    """Print what is left of erased rows; nothing where nothing is."""
    if residue.uncleaned_tables:
        say(
            "The database's statistics may still show what was removed, since this role may not clean "
            f"{', '.join(residue.uncleaned_tables)}: run `tonalog db rewrite` as the owner."
        )
    elif residue.has_bytes:
        say(
            "No query finds it. Bytes of it are in free space of the database's files until they are written over; "
            "`tonalog db rewrite`, as the owner and at a quiet hour, removes them."
        )
