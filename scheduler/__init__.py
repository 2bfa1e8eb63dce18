"""Finds recordings and keeps the ledger moving; sends task names and never scores anything."""
