"""What a terminal cannot show is shown in signs, and a name that is no text is no crash."""

import codecs
import gc
import io
import os

import pytest

from tonalog.process import loading, replace
from tonalog.sparkline import sparkline


@pytest.fixture(autouse=True)
def handler():
    codecs.register_error("replace-for-test", replace)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "koi8-r", "utf-8"])
def test_a_text_of_any_kind_is_printed_in_any_encoding(encoding):
    text = "Łukasz ▁▂▃▄▅▆▇█ \u2026 дома 🙂 │─ é " + os.fsdecode(b"\xff.wav")

    shown = text.encode(encoding, "replace-for-test").decode(encoding)

    assert shown.endswith("\\udcff.wav")
    assert shown if encoding == "utf-8" else "\\U0001f642" in shown


def test_a_line_of_bars_keeps_its_length_and_its_order():
    bars = sparkline([step / 7 for step in range(8)])

    assert bars.encode("latin-1", "replace-for-test") == b"_.:-=+*#"


def test_a_stream_that_is_read_is_not_repaired():
    with pytest.raises(UnicodeDecodeError):
        io.TextIOWrapper(io.BytesIO(b"\xff"), encoding="utf-8", errors="replace-for-test").read()


def test_what_is_loaded_is_kept_from_the_garbage_collector_and_what_follows_is_not():
    with loading():
        assert not gc.isenabled()
        kept = [[] for _ in range(10)]

    assert gc.isenabled()
    assert not any(kept is item for item in gc.get_objects())
    later = [kept]
    assert any(later is item for item in gc.get_objects())
    gc.unfreeze()


def test_a_process_that_collects_no_garbage_goes_on_so_after_loading():
    gc.disable()
    try:
        with pytest.raises(ImportError), loading():
            raise ImportError
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
