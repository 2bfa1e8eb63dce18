"""Rows: every SQL statement of Tonalog lives in this room; it never reads the environment, files or the network itself.

Functions take an Engine and open their own transaction, so that one call is one atomic step of the ledger.
`make_engine` gives the engine, `migrate.upgrade` the tables.
"""

from sqlalchemy import Engine

__all__ = ["Engine"]
