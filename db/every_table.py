"""Knows every table, whichever module declares it."""

import importlib
import pkgutil

from sqlalchemy import MetaData

import db
from db.schema import metadata


def load_metadata() -> MetaData:
    """Return the metadata with every table in it: each module of this room whose name ends in `_schema` declares some."""
    for module in pkgutil.iter_modules(db.__path__):
        if module.name.endswith("_schema"):
            importlib.import_module(f"db.{module.name}")
    return metadata
