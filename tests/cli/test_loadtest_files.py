"""`numbatch loadtest compare` and `numbatch loadtest report`: what they say, and how they end."""

import json
from pathlib import Path

import pytest

from support.command import numbatch
from support.load_results import open_step, results


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of two versions, of which the second is slower, and again of the first."""
    folder = tmp_path_factory.mktemp("results")
    for name, slower, seed in (("old", 1.0, 1), ("slow", 1.2, 2), ("same", 1.0, 3)):
        steps = [
            open_step(rate, seconds=2.0, repeat=n, slower=slower, seed=seed) for rate in (500, 2000) for n in range(4)
        ]
        results(steps).save(folder / f"{name}.json")
    return folder


def test_a_regression_ends_in_1_and_says_what_and_by_how_much(files: Path) -> None:
    outcome = numbatch("loadtest", "compare", files / "old.json", files / "slow.json", "--max-regress", "5%")
    assert (outcome.code, outcome.err) == (1, "")
    (line,) = (line for line in outcome.out.splitlines() if line.startswith("REGRESSED: 2,000/s: p50"))
    assert "it excludes the limit of 5 %" in line
    assert outcome.out.splitlines()[-1].startswith("verdict: regressed: ")


def test_no_regression_ends_in_0(files: Path) -> None:
    outcome = numbatch("loadtest", "compare", files / "old.json", files / "same.json", "--max-regress", "30%")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines()[-1] == "verdict: held: none of 8 figures is worse by more than 30 %"


def test_strict_fails_where_the_runs_cannot_tell(files: Path) -> None:
    undecided = ("loadtest", "compare", files / "old.json", files / "same.json", "--max-regress", "0.1%")
    outcome = numbatch(*undecided)
    assert outcome.code == 0
    assert outcome.out.splitlines()[-1].startswith("verdict: undecided: ")
    assert numbatch(*undecided, "--strict").code == 1


def test_json_has_the_verdict_and_every_change(files: Path) -> None:
    outcome = numbatch("loadtest", "compare", files / "old.json", files / "slow.json", "--json")
    report = json.loads(outcome.out)
    assert (outcome.code, report["verdict"], report["max_regress"]) == (1, "regressed", 0.05)
    p50 = next(change for change in report["changes"] if (change["load"], change["metric"]) == ("500/s", "p50"))
    assert p50["verdict"] == "regressed"
    assert 1.05 < p50["ratio"]["low"] < p50["ratio"]["estimate"] < p50["ratio"]["high"]


@pytest.mark.parametrize("limit", ["5", "0.05", "five%", "-5%", "%"])
def test_a_limit_is_per_cent(files: Path, limit: str) -> None:
    outcome = numbatch("loadtest", "compare", files / "old.json", files / "same.json", "--max-regress", limit)
    assert outcome.code == 2
    assert "--max-regress" in outcome.err


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"schema": "numbatch.loadtest/1"}', '{"schema": "numbatch.loadtest/9"}']
)
def test_a_file_of_something_else_is_refused(files: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "other.json").write_text(content)
    for arguments in (("compare", files / "old.json", tmp_path / "other.json"), ("report", tmp_path / "other.json")):
        outcome = numbatch("loadtest", *arguments)
        assert outcome.code == 3
        assert f"{tmp_path / 'other.json'}: not " in outcome.err


def test_runs_without_a_load_in_common_are_refused(files: Path, tmp_path: Path) -> None:
    results([open_step(700, seconds=1.0)]).save(tmp_path / "other.json")
    outcome = numbatch("loadtest", "compare", files / "old.json", tmp_path / "other.json")
    assert outcome.code == 3
    assert "no load in common" in outcome.err


def test_a_report_is_shown_again_and_written_as_a_page(files: Path, tmp_path: Path) -> None:
    outcome = numbatch("loadtest", "report", files / "old.json", "--html", tmp_path / "page.html")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines()[-1] == "verdict: passed"
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_terminal_gets_a_table(files: Path) -> None:
    outcome = numbatch("loadtest", "report", files / "old.json", terminal=True)
    assert "answers/s" in outcome.out
    assert "2,000/s" in outcome.out
    assert "verdict: passed" in outcome.out
