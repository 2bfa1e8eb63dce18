"""Steps cached by content: what is done once, what is done again, and what an interruption leaves."""

from functools import partial

import pytest

from training.fitting.steps import Step, run_steps


def write(needs, out, count, *, text):
    count(1, 2)
    read = [(folder / "text").read_text() for _, folder in sorted(needs.items())]
    (out / "text").write_text("+".join([text, *read]))


def fail(_, out, __):
    (out / "half").write_text("half")
    raise KeyboardInterrupt


def make_step(text, **needs):
    return Step(f"Step of {text}", partial(write, text=text), {"text": text}, needs)


def read(folder):
    return (folder / "text").read_text()


@pytest.mark.parametrize("n_processes", [1, 2])
def test_a_step_comes_after_what_it_needs_and_each_is_done_once(tmp_path, n_processes):
    first, other = make_step("a"), make_step("b")
    last = make_step("c", one=first, two=make_step("d", one=first, two=other))
    told = []

    (folder,) = run_steps([last], tmp_path, n_processes=n_processes, report=lambda *words: told.append(words))

    assert read(folder) == "c+a+d+a+b"
    assert sorted(path.name.rpartition("-")[0] for path in tmp_path.iterdir()) == [f"step-of-{x}" for x in "abcd"]
    assert ("Step of a", 1, 1) in told
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    run_steps([last, first], tmp_path, report=lambda *words: pytest.fail(f"told {words}"))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_what_a_step_reads_or_needs_decides_where_its_result_lies():
    keys = {
        make_step("a").key,
        Step("Step of a", write, {"text": "b"}).key,
        Step("another", write, {"text": "a"}).key,
        make_step("a", one=make_step("b")).key,
        make_step("a", one=make_step("c")).key,
    }
    assert len(keys) == 5
    assert make_step("a", one=make_step("b")).key in keys


def test_a_changed_input_makes_what_depends_on_it_again_and_nothing_else(tmp_path):
    kept = make_step("kept")
    run_steps([make_step("end", one=make_step("old"), two=kept)], tmp_path)
    times = {path: path.stat().st_mtime_ns for path in kept.find(tmp_path).iterdir()}

    (folder,) = run_steps([make_step("end", one=make_step("new"), two=kept)], tmp_path)

    assert read(folder) == "end+new+kept"
    assert {path: path.stat().st_mtime_ns for path in kept.find(tmp_path).iterdir()} == times


def test_an_interrupted_step_is_not_taken_for_done_and_finds_what_it_left(tmp_path):
    broken = Step("long", fail)
    with pytest.raises(KeyboardInterrupt):
        run_steps([broken], tmp_path)
    assert not broken.find(tmp_path).exists()

    def go_on(_, out, __):
        assert (out / "half").read_text() == "half"

    (folder,) = run_steps([Step("long", go_on)], tmp_path)
    assert folder == broken.find(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
