"""`numbatch loadtest`: what it says, writes and returns."""

import io
import itertools
import json
import os
import signal
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from rich.console import Console

from numbatch.cli.loadtest_view import LiveView, finished_line, second_line, sparkline, watched
from numbatch.loadtest import Progress, Results
from numbatch.loadtest.results import Distribution, GeneratorLoad, Outcomes, Point
from support.command import Outcome, numbatch
from support.fake_server import INFER, FakeServer, fail, infer
from support.load_steps import step


def loadtest(server: str, *arguments: object, terminal: bool = False) -> Outcome:
    short = ["--count", 30, "--warmup", 0, "--messages", 5, "--metrics", ""]
    return numbatch("loadtest", "double", "--server", server, *short, *arguments, terminal=terminal)


def test_it_writes_what_it_found(server: str, tmp_path: Path) -> None:
    json_file, page = tmp_path / "found.json", tmp_path / "found.html"
    outcome = loadtest(server, "--concurrency", "1:2:x2", "--json", json_file, "--html", page, "--assert", "errors==0")
    assert outcome.code == 0, outcome.err
    results = Results.load(json_file)
    assert [one.name for one in results.steps] == ["concurrency 1", "concurrency 2"]
    assert results.command[:3] == ["numbatch", "loadtest", "double"]
    assert "verdict: passed" in outcome.out
    assert page.read_text().startswith("<!doctype html>")
    lines = outcome.err.splitlines()
    assert [line for line in lines if line.startswith("concurrency 2: ")] == lines[-1:]


def test_run_may_be_left_out_and_quiet_is_quiet(server: str) -> None:
    usual = ["--server", server, "--count", 3, "--warmup", 0, "--metrics", "", "--quiet"]
    for arguments in (["loadtest", "double"], ["loadtest", "run", "double"]):
        outcome = numbatch(*arguments, *usual)
        assert (outcome.code, outcome.err) == (0, "")


@pytest.mark.parametrize("arguments", [("--stream", "--window", 2), ("--rate", 500, "--arrivals", "uniform")])
def test_ways_of_sending(server: str, arguments: tuple[object, ...]) -> None:
    outcome = loadtest(server, *arguments, "--quiet")
    assert outcome.code == 0, outcome.err
    assert "not ok: none" in outcome.out


def test_offline_takes_a_file(server: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((10, 2), np.float32))
    np.savez(tmp_path / "y.npz", twice=np.full((10, 2), 2.0))
    files = ["--data", tmp_path / "x.npy", "--expect", tmp_path / "y.npz"]
    outcome = loadtest(server, "--offline", "--rows", 3, *files, "--json", tmp_path / "found.json")
    assert outcome.code == 0, outcome.err
    assert Results.load(tmp_path / "found.json").steps[0].outcomes == Outcomes(ok=4)


def test_a_condition_that_does_not_hold_is_5(server: str) -> None:
    outcome = loadtest(server, "--assert", "p50<1us", "--quiet")
    assert outcome.code == 5
    assert "FAILED: p50<1us" in outcome.out


def test_a_wrong_answer_is_5_and_saved(server: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((2, 2), np.float32))
    np.savez(tmp_path / "y.npz", twice=np.ones((2, 2)))
    files = ["--data", tmp_path / "x.npy", "--expect", tmp_path / "y.npz", "--mismatch-folder", tmp_path / "wrong"]
    outcome = loadtest(server, *files, "--quiet")
    assert outcome.code == 5
    assert "30 wrong answers" in outcome.out
    assert len(list((tmp_path / "wrong").glob("mismatch-double-*.npz"))) == 5


def test_more_than_is_answered_is_6(server: str) -> None:
    outcome = numbatch(
        *("loadtest", "double", "--server", server, "--rate", 100_000, "--duration", 1, "--warmup", 0, "--quiet"),
        *("--max-in-flight", 100, "--metrics", ""),
    )
    assert outcome.code == 6


def test_ctrl_c_is_130_and_what_was_found_is_written(tmp_path: Path) -> None:
    numbers = itertools.count()

    def interrupted(request: bytes, context: Any) -> bytes:
        if next(numbers) == 50:
            os.kill(os.getpid(), signal.SIGINT)
        return infer(request, context)

    with FakeServer({INFER: interrupted}) as fake:
        outcome = numbatch(
            *("loadtest", "double", "--server", fake.address, "--rate", 200, "--duration", 60, "--warmup", 0),
            *("--messages", 5, "--metrics", "", "--quiet", "--json", tmp_path / "found.json"),
        )
    assert (outcome.code, outcome.err) == (130, "")
    assert "verdict: interrupted: in 200/s" in outcome.out
    assert Results.load(tmp_path / "found.json").steps[0].outcomes.ok >= 45


def test_where_nothing_is_answered_no_run_is_fine() -> None:
    with FakeServer({INFER: fail(grpc.StatusCode.UNAVAILABLE, "gone")}) as fake:
        outcome = loadtest(fake.address, "--no-verify", "--quiet", "--count", 3)
    assert outcome.code == 5
    assert "no request was answered rightly: UNAVAILABLE: gone" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--rate", "fast"], "got 'fast', expected a number, several"),
        (["--concurrency", "1.5"], "expected whole numbers"),
        (["--assert", "p99<10"], "got 'p99<10', expected a time in us, ms or s"),
        (["--find-max"], "a search needs an objective"),
        (["--stream", "--offline"], "--stream and --offline: give one of them"),
        (["--rate", "5", "--concurrency", "5"], "concurrency is for closed loops and streams"),
        (["--server", "nowhere"], "got 'nowhere', expected HOST:PORT"),
    ],
)
def test_a_wrong_command_line_is_2(arguments: list[str], problem: str) -> None:
    outcome = numbatch("loadtest", "double", *arguments)
    assert (outcome.code, problem in outcome.err) == (2, True), outcome.err


def test_data_that_do_not_fit_are_2(server: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((2, 3), np.float32))
    outcome = loadtest(server, "--data", tmp_path / "x.npy")
    assert (outcome.code, "got shape [2, 3], expected [N, 2]" in outcome.err) == (2, True), outcome.err


def test_an_unknown_model_is_3(server: str) -> None:
    outcome = numbatch("loadtest", "nobody", "--server", server)
    assert outcome.code == 3
    assert "no such model on this server: got 'nobody'" in outcome.err


TIMES = Distribution(
    count=1000,
    percentiles={"p50": 500.0, "p90": 800.0, "p95": 900.0, "p99": 1500.0, "p99.9": 2500.0, "p99.99": 3000.0},
)
POINT = Point(t_s=1.0, sent=500, ok=499, errors=1, p50_us=500.0, p99_us=1500.0, max_us=2000.0)
FINISHED = step(latency_us=TIMES, outcomes=Outcomes(ok=998, refused=2))


def told(**known: object) -> Progress:
    usual = {"step": "500/s", "number": 1, "of": 2, "elapsed_s": 3.0, "longest_s": 11.0, "warmup_s": 1.0}
    return Progress(**usual | known)  # type: ignore[arg-type]


def shown(*progress: Progress) -> str:
    view = LiveView()
    for one in progress:
        view.add(one)
    console = Console(file=io.StringIO(), width=100)
    console.print(view.screen())
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def test_lines_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    with watched(Console(file=out, width=40)) as on_progress:
        on_progress(told())
        on_progress(told(points=(POINT,)))
        on_progress(told(finished=FINISHED))
    assert out.getvalue().splitlines() == [second_line("500/s", POINT), finished_line(FINISHED)]
    assert second_line("500/s", POINT) == (
        "500/s     2 s  sent 500  ok 499  errors 1  p50 500 us  p99 1.50 ms  max 2 ms"
    )
    assert finished_line(FINISHED) == "500/s: 500/s answered, 2 errors  p50 500 us  p99 1.50 ms  p99.9 2.50 ms"


def test_a_doubtful_step_says_so() -> None:
    bound = step(generator=GeneratorLoad(processes=1, cpu_share=[1.0], us_per_request=1.0, bound=True, reason="busy"))
    assert finished_line(bound).endswith("GENERATOR-BOUND")
    assert finished_line(step(unstable="too much")).endswith("UNSTABLE")


def test_the_screen_says_where_it_is() -> None:
    assert "preparing" in shown()
    assert "500/s  step 1 of 2  warm-up  0 s" in shown(told(elapsed_s=0.2))
    text = shown(told(in_flight=7, points=(POINT,)))
    assert "measuring  3 s  in flight 7" in text
    assert "p99        1.50 ms" in text


def test_curves_begin_anew_with_each_step() -> None:
    text = shown(told(points=(POINT,) * 5), told(step="1,000/s", number=2, points=(POINT,)))
    assert text.count("█") == 2  # answers and p99 of one second


def test_a_curve_is_as_high_as_its_largest_value() -> None:
    assert sparkline([0.0, 5.0, 10.0]) == "▁▅█"
    assert sparkline([0.0, 0.0]) == "▁▁"


def test_a_terminal_is_left_clean(server: str) -> None:
    out = io.StringIO()
    with watched(Console(file=out, force_terminal=True, width=80)) as on_progress:
        on_progress(told(points=(POINT,)))
        on_progress(told(finished=FINISHED))
    assert "500/s answered, 2 errors" in out.getvalue()


def test_results_are_json_that_others_read(server: str, tmp_path: Path) -> None:
    loadtest(server, "--json", tmp_path / "found.json", "--quiet")
    assert json.loads((tmp_path / "found.json").read_text())["schema"] == "numbatch.loadtest/1"
