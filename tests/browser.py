"""A headless Chromium of this machine; tests that need one skip, with the reason, where there is none."""

import os
import shutil
from contextlib import contextmanager

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find_browser():
    """The path of a Chromium, or the test is skipped."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no Chromium on this machine: install one of {', '.join(NAMES)}")
    return found


@contextmanager
def open_browser():
    """A started browser."""
    path = find_browser()
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    # Chromium's sandbox refuses to run as root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()
