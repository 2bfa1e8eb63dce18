"""Everything that makes and measures the shipped model; nothing of another backbone lives here."""
