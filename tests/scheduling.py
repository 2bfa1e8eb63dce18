"""Which tests go to one worker of pytest-xdist together: those of a file, since they share what its fixtures made."""

from __future__ import annotations

from typing import Any

from xdist.scheduler import LoadScopeScheduling

TOGETHER = {
    # Real processes with leases and watchdogs of seconds: two such stages at once would starve each other.
    "tests/chaos/": "chaos",
    "tests/system/test_watchdog_process.py": "chaos",
    # All read the one embedded run of the example notes.
    "tests/system/test_embedded_run.py": "embedded",
    "tests/system/test_exports_page.py": "embedded",
    "tests/system/test_production_stack.py": "embedded",
    "tests/system/test_reports_page.py": "embedded",
    "tests/system/test_docs_commands.py": "embedded",
    "tests/system/test_readme.py": "embedded",
}


def name_scope(nodeid: str) -> str:
    """Name the part that a test belongs to; a part is run by one worker, in the order of its tests."""
    file = nodeid.split("::", 1)[0]
    return next((name for start, name in TOGETHER.items() if file.startswith(start)), file)


class ByFile(LoadScopeScheduling):
    """Hands out files in the order of collection, so the rooms whose tests take long come first and none is left last."""

    def __init__(self, config: Any, log: Any = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return name_scope(nodeid)
