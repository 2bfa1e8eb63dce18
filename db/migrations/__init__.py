"""The history of the schema; alembic reads `env.py` and `versions`."""
