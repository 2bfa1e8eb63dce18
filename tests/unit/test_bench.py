"""What `make bench` makes of what it measured: ratios, figures, goals and the page; it measures nothing here."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import bench_page, gpu_page
from benchmarks.bench_notes import MEDIAN_S, choose_lengths, list_recordings, make_notes
from benchmarks.bench_picture import draw
from benchmarks.bench_steps import BENCH_STEPS, Step, StepMissing, as_options, run_step
from benchmarks.bench_summary import FIGURES, LIBROSA, PIPELINE, find_figure, judge, summarise
from benchmarks.in_turn import Times, ratio_in_turn, time_in_turn

BENCHMARKS = Path(bench_page.__file__).parent
PROMISED = {
    "ratio_end_to_end",
    "ratio_decode",
    "ratio_model",
    "share_of_limit",
    "start_s",
    "system_over_pipeline_15s",
    "system_over_pipeline_2s",
}


def make_results():
    of = {"median": 3.0, "low": 2.0, "high": 4.0, "least": 1.0, "n": 3}
    common = {"title": "notes", "took_s": 1.0, "load": [0.1, 0.2], "core": 1}
    steps = {
        "end_to_end": common
        | {
            "n_notes": 2, "audio_s": 30.0, "n_windows": 4, "n_scored": 2, "notes": "examples/notes",
            "audio_s_per_core_s": {"Tonalog": of, LIBROSA: of},
            "ratios": {LIBROSA: of},
            "stage_ms_per_audio_s": {"decode": 1.0, "model": 3.0},
        },
        "model": common | {"unit": "ms", "variants": {"Tonalog": {"cpu_ms": of, "wall_ms": of}}, "ratios": {PIPELINE: of}},
        "limits": common | {"share_of_limit": of},
        "start": common | {"failed": "ended with 1"},
    }  # fmt: skip
    return {
        "at": "2026-11-27",
        "is_quick": False,
        "machine": {"cpu": "a processor", "cores": 2, "flags": [], "system": "Linux"},
        "versions": [],
        "protocol": "in turn",
        "load": {"start": 0.0, "end": 0.1},
        "steps": steps,
        **summarise(steps),
    }


def test_ratios_are_taken_turn_by_turn_and_not_of_medians():
    theirs, ours = Times(np.array([10.0, 30.0, 80.0]), np.ones(3)), Times(np.array([1.0, 2.0, 20.0]), np.ones(3))
    assert ratio_in_turn(theirs, ours)["median"] == 10.0


def test_variants_take_turns_in_alternating_order():
    order = []
    times = time_in_turn({name: lambda name=name: order.append(name) for name in "abc"}, n_turns=3)
    assert order == [*"cba", *"abc", *"cba", *"abc"]
    assert all(len(one.cpu_s) == len(one.wall_s) == 3 for one in times.values())


def test_the_figures_that_are_promised_are_among_those_that_are_summed_up():
    results = make_results()
    assert set(summarise({})) >= PROMISED
    assert results["ratio_end_to_end"] == results["ratio_model"] == results["share_of_limit"] == 3.0
    assert results["start_s"] is None
    assert all(figure.path[0] in {step.name for step in BENCH_STEPS} for figure in FIGURES)


def test_a_figure_short_of_its_goal_says_by_how_much():
    end_to_end = next(figure for figure in FIGURES if figure.name == "ratio_end_to_end")
    assert judge(end_to_end, 20.0) == "reached"
    assert judge(end_to_end, 15.0) == "above the floor of 14, short of the goal by 25 %"
    assert judge(end_to_end, 10.0) == "missed by 50 %"
    assert find_figure({"system": {"rate": "unknown"}}, ("system", "rate")) is None


@pytest.mark.parametrize("step", BENCH_STEPS, ids=lambda step: step.name)
def test_every_step_s_module_takes_the_arguments_that_it_is_given(step):
    """Read and not imported: torch and audonnx are in another environment."""
    source = (BENCHMARKS / f"{step.module}.py").read_text(encoding="utf-8")
    arguments = {**step.arguments, **step.quick}
    if step.function is None:
        assert [name for name in as_options(arguments) if name.startswith("--") and f'"{name}"' not in source] == []
        return
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    taken = next(node.args for node in functions if node.name == step.function)
    assert arguments.keys() <= {one.arg for one in [*taken.args, *taken.kwonlyargs]}


def test_a_step_without_a_module_or_a_measure_is_said_to_be_missing():
    for module in ("no_such_step", "protocol"):
        with pytest.raises(StepMissing, match=module):
            run_step(Step(name="x", module=module, title="x"), is_quick=True)


def test_a_script_s_lines_are_kept_and_its_status_told(tmp_path):
    (tmp_path / "tell.py").write_text("import sys; print(*sys.argv[1:]); sys.exit(3)")
    step = Step(name="x", module="../" * 20 + f"{tmp_path}/tell", title="x", function=None, arguments={"jobs": [1, 2]})
    assert run_step(step, is_quick=False) == {"printed": ["--jobs 1 2"], "failed": "ended with 3"}


def test_the_page_shows_each_figure_and_why_one_is_missing():
    text = bench_page.describe(make_results())
    assert all(f"`{figure.name}`" in text for figure in FIGURES)
    assert "Not measured: ended with 1." in text
    assert draw(make_results()).count('class="ours"') == 2


@pytest.mark.parametrize(
    ("figures", "row"),
    [
        ({"start_s": 0.5, "jobs_a_s": {"SQLite": 150.0}}, "| jobs a s | SQLite: 150 |"),
        ({"decode_ms": {"Opus": {"here": 1.0, "librosa": 2.0}, "AMR": {"here": 3.0}}}, "| AMR | 3 |  |"),
        ({"asked": {"wall_s": 1.0}, "not asked": {"wall_s": 2.0}}, "| not asked | 2 |"),
        ({name: {"10": {"ms": 1.0}, "20": {"ms": 2.0}} for name in "abcd"}, "| d | ms: 1 | ms: 2 |"),
    ],
)
def test_figures_of_any_depth_become_rows(figures, row):
    results = make_results()
    results["steps"]["start"] = {"title": "x", "took_s": 1.0, "load": [0.0, 0.0], **figures}
    assert row in bench_page.describe(results).splitlines()


def test_the_page_changes_only_between_its_markers():
    page = f"before\n{bench_page.BEGIN}\nold\n{bench_page.END}\nafter\n"
    assert bench_page.put_between(page, "new") == f"before\n{bench_page.BEGIN}\n\nnew\n{bench_page.END}\nafter\n"
    with pytest.raises(ValueError, match="lacks"):
        bench_page.put_between("before", "new")


@pytest.mark.skipif(not (BENCHMARKS / "results.json").exists(), reason="`make bench` has not been run")
def test_page_and_picture_are_those_of_the_results_that_are_kept():
    results = json.loads((BENCHMARKS / "results.json").read_text())
    assert results.keys() >= PROMISED | {"machine", "versions", "load", "protocol", "steps"}
    assert not results["is_quick"]
    assert summarise(results["steps"]).items() <= results.items()
    assert bench_page.describe_shortly(results) in bench_page.PAGE.read_text()
    assert bench_page.describe(results) in (BENCHMARKS / "results.md").read_text()
    assert draw(results) == (BENCHMARKS / "results.svg").read_text()


def test_notes_are_opus_of_the_promised_lengths():
    lengths = choose_lengths(24)
    assert np.median(lengths) == pytest.approx(MEDIAN_S, rel=0.05)
    assert len(list_recordings()) >= 8
    note = make_notes(2, median_s=2.0)[0]
    assert note.startswith(b"OggS")
    assert b"OpusHead" in note[:64]


def test_the_page_shows_what_was_measured_on_a_gpu():
    page = bench_page.PAGE.read_text(encoding="utf-8")
    assert gpu_page.describe(json.loads(gpu_page.KEPT.read_text(encoding="utf-8"))) in page
