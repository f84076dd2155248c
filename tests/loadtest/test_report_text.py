"""A run as plain lines."""

import pytest

from numbatch.loadtest.report import as_lines
from numbatch.loadtest.report.conditions import judged
from numbatch.loadtest.results import Assertion, Mismatch, Search, Trial
from support.load_results import closed_step, open_step, results


def test_a_run_says_what_was_sent_what_came_and_how_it_ended() -> None:
    first, second, nothing, level, *notes = as_lines(results([open_step(1000, seconds=2.0)]))
    assert first == "digits/1 on 127.0.0.1:8001"
    assert second == (
        "1,000 requests a second, at random times (Poisson), 1 row each; every step ran once, for 2 s, after 2 s of "
        "warm-up that is left out."
    )
    assert nothing == ""
    assert level.startswith("1,000/s: 1,000/s answered  1,000 rows/s  p50 ")
    assert "p99.9 -" in level  # two requests of 2,000 are no percentile
    assert level.endswith("not ok: none")
    assert notes == ["", notes[1], "verdict: passed"]
    assert "should have started" in notes[1]


def test_a_closed_loop_says_that_it_has_no_schedule() -> None:
    lines = as_lines(results([closed_step(4, seconds=1.0), closed_step(8, seconds=1.0)]))
    assert lines[1].startswith("4 to 8 requests at once, the next when one is answered in 2 steps, 32 rows each")
    assert any("says nothing about any given rate" in line for line in lines)


def test_a_search_says_what_it_found() -> None:
    steps = [open_step(rate, seconds=1.0) for rate in (500, 1000)]
    trials = [Trial(rate=500, held=True, value=900.0), Trial(rate=1000, held=False, value=None)]
    found = Search(objective="p99<1ms, errors<0.1%", max_rate=500, trials=trials)
    lines = as_lines(results(steps, search=found))
    assert lines[1].startswith("A search: 500 to 1,000 requests a second")
    assert "highest rate with p99<1ms, errors<0.1%: 500/s" in lines


def test_what_failed_stands_out() -> None:
    lines = as_lines(
        results(
            [open_step(1000, seconds=2.0, mismatches=3, bound="97 % of a processor")],
            assertions=[
                Assertion(text="p99<10ms", value=31_230.0, passed=False),
                Assertion(text="errors<0.1%", value=0.0, passed=True),
            ],
            mismatches=[Mismatch(model="digits/1", message=7, detail="scores[0, 4] differs", file="wrong-7.npz")],
            verdict="mismatch",
            reason="3 wrong answers",
        )
    )
    assert "3 wrong answer" in lines[3]
    assert lines[-5:] == [
        "the generator was the bottleneck at 1,000/s (97 % of a processor)",
        "FAILED: p99<10ms (worst: 31.2 ms)",
        "held: errors<0.1% (worst: 0 %)",
        "wrong answer from digits/1: scores[0, 4] differs, in wrong-7.npz",
        "verdict: wrong answers: 3 wrong answers",
    ]


@pytest.mark.parametrize(
    ("condition", "value", "text"),
    [
        ("p99<10ms", 3421.0, "3.42 ms"),
        ("service_mean<1ms", 412.0, "412 us"),
        ("p99<10ms, errors<0.1%", 3421.0, "3.42 ms"),  # an objective of several: the first
        ("errors==0", 3.0, "3"),
        ("refused<0.1%", 0.125, "12.5 %"),
        ("rows_per_s>50000", 61_234.0, "61,234/s"),
        ("p99<10ms", None, "-"),
        ("of a later version", 2.5, "2.50"),
    ],
)
def test_a_value_is_written_in_the_unit_of_its_condition(condition: str, value: float | None, text: str) -> None:
    assert judged(condition, value) == text
