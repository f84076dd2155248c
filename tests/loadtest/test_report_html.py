"""The page: what is in it for which results, for people who do not see the pictures too, and nothing from outside."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from numbatch.loadtest.report import as_html, save_html
from numbatch.loadtest.results import Assertion, Distribution, Mismatch, Outcomes, Results, Search, Step, Trial
from support.load_results import closed_step, open_step, results
from support.pages import Element, read_page

HOSTILE = "</title></style><script>alert('1')</script><img src=//x onerror=alert(2)>\"onload=\"alert(3)&amp;\0\ud800"

RATES = (500, 2000, 3000, 5000, 6500)


def steps_of_rates(**options: Any) -> list[Step]:
    return [open_step(rate, seconds=1.5, repeat=repeat, **options) for rate in RATES for repeat in (0, 1)]


def silent(step: Step) -> Step:
    """The same, but nobody answered."""
    nothing = Distribution()
    return replace(
        step,
        outcomes=Outcomes(unavailable=step.sent),
        requests_per_s=0.0,
        rows_per_s=0.0,
        latency_us=nothing,
        service_us=nothing,
        histogram=[],
        series=[replace(point, ok=0, errors=point.sent, p50_us=0.0, p99_us=0.0, max_us=0.0) for point in step.series],
        server_side=None,
    )


def search() -> Results:
    trials = [
        Trial(rate=2000, held=True, value=900.0, phase="ramp"),
        Trial(rate=6500, held=False, value=None, phase="ramp"),
        Trial(rate=3000, held=True, value=1200.0, phase="confirm"),
    ]
    steps = [open_step(rate, seconds=1.5) for rate in (2000, 6500, 3000)]
    return results(steps, search=Search(objective="p99<2ms, errors<0.1%", max_rate=3000, trials=trials))


def one_request() -> Results:
    step = open_step(3, seconds=1.0)
    alone = Distribution(count=1, mean=5.0, min=5.0, max=5.0, percentiles=dict.fromkeys(("p50", "p99", "p99.9"), 5.0))
    return results([replace(step, latency_us=alone, service_us=alone, outcomes=Outcomes(ok=1), histogram=[(5.0, 1)])])


KINDS: dict[str, Callable[[], Results]] = {
    "one load": lambda: results([open_step(3000, seconds=3.0, pause_s=0.5)]),
    "several loads": lambda: results(steps_of_rates()),
    "closed": lambda: results([closed_step(n, seconds=1.0) for n in (1, 2, 4, 8)]),
    "search": search,
    "many loads": lambda: results([open_step(rate, seconds=0.5) for rate in range(100, 4100, 100)]),
    "long": lambda: results([replace(open_step(800, seconds=1.0), series=open_step(20, seconds=900.0).series)]),
    "silent": lambda: results([silent(open_step(1000, seconds=2.0))], verdict="assertion", reason="no answer"),
    "silent and not": lambda: results([open_step(500, seconds=1.0), silent(open_step(1000, seconds=1.0))]),
    "one request": one_request,
    "no series": lambda: results([replace(open_step(800, seconds=1.0), series=[], server_side=None)]),
    "nothing": lambda: replace(results([open_step(10, seconds=1.0)]), steps=[]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_picture_says_what_it_shows_and_is_well_formed(kind: str) -> None:
    page = read_page(as_html(KINDS[kind]()))
    ids = [element.attributes["id"] for element in page.all() if "id" in element.attributes]
    assert len(set(ids)) == len(ids)
    for picture in page.all("svg"):
        title, description = picture.one("title"), picture.one("desc")
        assert picture.attributes["role"] == "img"
        assert picture.attributes["aria-labelledby"] == f"{title.attributes['id']} {description.attributes['id']}"
        assert len(title.text) > 5
        assert len(description.text) > 20
    for text in as_html(KINDS[kind]()).split("<svg")[1:]:
        ElementTree.fromstring("<svg" + text.partition("</svg>")[0] + "</svg>")


@pytest.mark.parametrize("kind", KINDS)
def test_no_figure_in_it_is_no_number(kind: str) -> None:
    page = as_html(KINDS[kind]())
    for word in ("nan", "inf", "None"):
        assert f'"{word}' not in page
        assert f" {word} " not in page
        assert f">{word}<" not in page


@pytest.mark.parametrize("kind", KINDS)
def test_it_loads_nothing_and_runs_nothing(kind: str) -> None:
    page = read_page(as_html(KINDS[kind]()))
    assert not {"script", "iframe", "object", "embed", "img", "form", "base"} & {one.name for one in page.all()}
    for element in page.all():
        assert not [name for name in element.attributes if name.startswith("on") or name == "src"]
        href = element.attributes.get("href", "")
        assert href is not None
        assert href.startswith(("#", "data:")) or not href
    style = page.one("style").text
    assert "url(" not in style
    assert "@import" not in style
    policy = page.one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_names_from_outside_are_text_and_no_more() -> None:
    base = results([replace(step, name=HOSTILE, errors={HOSTILE: 3}, unstable=HOSTILE) for step in steps_of_rates()])
    hostile = replace(
        base,
        command=["numbatch", HOSTILE],
        started=HOSTILE,
        reason=HOSTILE,
        settings={HOSTILE: [HOSTILE, {HOSTILE: HOSTILE}]},
        server=replace(base.server, address=HOSTILE, model=HOSTILE, numbatch=HOSTILE, instruction_set=HOSTILE),
        environment=replace(base.environment, cpu=HOSTILE, platform=HOSTILE, versions={HOSTILE: HOSTILE}),
        assertions=[Assertion(text=HOSTILE, value=1.0, passed=False)],
        mismatches=[Mismatch(model=HOSTILE, message=1, detail=HOSTILE, file=HOSTILE)],
        search=Search(objective=HOSTILE, max_rate=1.0, trials=[Trial(rate=1.0, held=True, value=2.0, phase=HOSTILE)]),
    )
    plain, attacked = read_page(as_html(base)), read_page(as_html(hostile))
    shown = HOSTILE.replace("\0", "\ufffd").replace("\ud800", "\ufffd")  # what no page can hold
    assert attacked.one("h1").text == f"{shown} on {shown}"
    assert {one.name for one in attacked.all()} <= {one.name for one in plain.all()} | {"code", "strong"}
    names = {name for one in attacked.all() for name in one.attributes}
    assert names <= {name for one in plain.all() for name in one.attributes}


def test_a_hostile_name_can_be_saved(tmp_path: Path) -> None:
    save_html(results([open_step(500, seconds=1.0)], model=HOSTILE), tmp_path / "page.html")
    read_page((tmp_path / "page.html").read_text(encoding="utf-8"))


def test_one_load_has_a_histogram_and_several_have_a_curve() -> None:
    assert pictures("one load") == ["histogram", "percentiles", "timeline", "split"]
    assert pictures("several loads") == ["capacity", "ridges", "percentiles", "timeline", "split", "outcomes"]
    assert pictures("search")[:2] == ["search", "capacity"]
    assert pictures("silent") == ["timeline", "outcomes"]
    assert pictures("no series") == ["histogram", "percentiles"]
    assert pictures("nothing") == []


def test_the_knee_is_marked_in_the_picture_and_in_the_table() -> None:
    page = read_page(as_html(KINDS["several loads"]()))
    section = page.one("section", id="capacity")
    assert "knee: 5,000/s" in section.one("svg").text
    assert [row.one("th").text for row in section.all("tr") if row.text.startswith("5,000/s")] == ["5,000/sknee"]


def test_there_is_a_table_behind_each_picture_with_the_same_figures() -> None:
    step = open_step(3000, seconds=3.0)
    page = read_page(as_html(results([step])))
    table = page.one("section", id="latency").one("table")
    heads = [head.text for head in table.one("thead").all("th")]
    cells = [cell.text for cell in table.one("tbody").all() if cell.name in ("th", "td")]
    assert dict(zip(heads, cells, strict=True)) | {"mean": "", "min": "", "p90": "", "p95": ""} == {
        "load": "3,000/s",
        "requests": "9,000",
        "min": "",
        "mean": "",
        "p50": as_ms(step.latency_us.percentiles["p50"]),
        "p90": "",
        "p95": "",
        "p99": as_ms(step.latency_us.percentiles["p99"]),
        "p99.9": as_ms(step.latency_us.percentiles["p99.9"]),
        "p99.99": as_ms(step.latency_us.percentiles["p99.99"]),
        "max": as_ms(step.latency_us.max),
    }
    seconds = page.one("section", id="time").one("tbody")
    assert len(list(seconds.all("tr"))) == 3
    for name in ("time", "server", "outcomes", "generator"):
        assert page.one("section", id=name).one("caption").text


def test_long_runs_are_drawn_with_fewer_points_than_seconds() -> None:
    page = read_page(as_html(KINDS["long"]()))
    slots = [one for one in page.one("section", id="time").all("g") if one.attributes.get("class") == "slot"]
    assert len(slots) == 450  # two seconds each


@pytest.mark.parametrize(
    ("verdict", "shown", "class_"),
    [
        ("ok", "\u2713 passed", "good"),
        ("assertion", "\u2717 assertion failed", "bad"),
        ("mismatch", "\u2717 wrong answers", "bad"),
        ("generator_bound", "\u2717 generator-bound", "bad"),
        ("unstable", "\u2717 no steady state", "bad"),
    ],
)
def test_the_verdict_is_a_sign_a_word_and_a_colour(verdict: str, shown: str, class_: str) -> None:
    page = read_page(as_html(results([open_step(500, seconds=1.0)], verdict=verdict, reason="because")))
    (pill,) = (one for one in page.all("span") if "verdict" in (one.attributes.get("class") or ""))
    assert (pill.text, pill.attributes["class"]) == (shown, f"verdict {class_}")
    assert page.one("span", class_="reason").text == "because"


def test_what_is_not_ok_is_told_apart() -> None:
    step = open_step(6500, seconds=2.0, mismatches=3)
    page = read_page(as_html(results([step])))
    tiles = {tile.one("dt").text: next(tile.all("dd")).text for tile in page.one("dl", class_="tiles").all("div")}
    assert tiles["wrong answers"] == "3"
    assert tiles["not ok"].endswith(" %")
    outcomes = page.one("section", id="outcomes")
    assert "SERVER_OVERLOADED" in outcomes.text
    picture = outcomes.one("svg").text
    assert "refused" in picture
    assert "wrong answer" in picture


def test_the_method_says_from_when_latency_counts() -> None:
    assert "should have started" in method("one load")
    assert "nothing has a time at which it should have started" in method("closed")


def method(kind: str) -> str:
    return read_page(as_html(KINDS[kind]())).one("section", id="method").text


def pictures(kind: str) -> list[str]:
    titles: list[Element] = [svg.one("title") for svg in read_page(as_html(KINDS[kind]())).all("svg")]
    return [(title.attributes["id"] or "").removesuffix("-title") for title in titles]


def as_ms(us: float) -> str:
    from numbatch.loadtest.report.quantities import duration

    return duration(us)
