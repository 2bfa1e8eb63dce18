"""What cannot be exported, and why."""


class ExportError(Exception):
    """An export that cannot be written; the message says what can be done."""
