"""The tutorial is true: its code gives the outputs and the pictures that it shows."""

import base64
import importlib.util
import io
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

from support.project import ROOT

PAGE = ROOT / "docs" / "tutorial.md"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tutorial", ROOT / "scripts" / "tutorial.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def ran(script: ModuleType) -> Any:
    return script.run_page(PAGE)


def test_the_code_gives_the_outputs_that_are_shown(ran: Any) -> None:
    assert ran.wrong_outputs == []
    assert ran.text == PAGE.read_text()


def test_the_code_draws_the_pictures_that_are_committed(script: ModuleType, ran: Any) -> None:
    assert list(script.wrong_pictures(ran, ROOT / "docs" / "images")) == []


def test_every_picture_is_shown_and_small(ran: Any) -> None:
    text = PAGE.read_text()
    for name, picture in ran.pictures.items():
        assert f"](images/{name})" in text
        assert len(picture) < 60_000, name


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "page.md"


def test_what_a_page_shows_is_compared_and_written_anew(script: ModuleType, page: Path) -> None:
    page.write_text("# A page\n\n```python\nx = 2\nprint(x)\nx / 3\n```\n\n```text\n2\n0.5\n```\n\n```python\nx\n```\n")
    ran = script.run_page(page)
    assert [problem.split(":")[0] for problem in ran.wrong_outputs] == ["line 4", "line 15"]
    script.write(ran, page)
    assert page.read_text().endswith("```text\n2\n0.6666666666666666\n```\n\n```python\nx\n```\n\n```text\n2\n```\n")
    assert script.run_page(page).wrong_outputs == []


def test_commands_that_show_output_are_run(script: ModuleType, page: Path) -> None:
    page.write_text("```console\n$ numbatch serve\n```\n\n```console\n$ numbatch --version\nnumbatch 0...\n```\n")
    assert script.run_page(page).wrong_outputs == []


def test_an_error_names_the_line_of_the_page_and_ends_the_processes(script: ModuleType, page: Path) -> None:
    starts = "import subprocess\nprocess = subprocess.Popen(['sleep', '60'])\n"
    page.write_text(f"```python\n{starts}```\n\n```python\n1 / 0\n```\n")
    with pytest.raises(ZeroDivisionError) as caught:
        script.run_page(page)
    failed = caught.traceback[-1]
    assert (failed.path, failed.lineno + 1) == (page, 7)
    assert failed.frame.f_globals["process"].returncode is not None


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        ("[0.25 1.5]", "[0.2500001 1.5]"),
        ("[[0.1 -0.]\n [2. 3.]]", "[[0.1  0.]\n [2.   3.]]"),
        ("took 1.0e-3 s", "took 1.04e-03 s"),
        ("layers 3\n...\ndone", "layers 3\n12.5 us\nby some\ndone"),
        ("layers 3\n...", "layers 3"),
    ],
)
def test_outputs_agree_in_words_and_in_the_digits_shown(script: ModuleType, shown: str, real: str) -> None:
    assert script.same_output(shown, real)


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        ("0.25", "0.27"),
        ("353 of 360", "352 of 360"),
        ("f32-1", "f32-2"),
        ("31824b3ff12c2b67", "31824b3ff12c2b68"),
        ("True", "False"),
        ("0.5", "0.5 0.5"),
        ("", "0.5"),
        ("layers 3\n...", "layers 4"),
    ],
)
def test_outputs_that_differ_are_told_apart(script: ModuleType, shown: str, real: str) -> None:
    assert not script.same_output(shown, real)


def svg(script: ModuleType, x: float, grey: int, level: int) -> str:
    """Return a picture of a line and an image of a pixel, compressed as the level says."""
    image = Image.new("L", (1, 1), grey)
    png = io.BytesIO()
    image.save(png, "png", compress_level=level)
    data = base64.b64encode(png.getvalue()).decode()
    return f'<path id="m0123456789" d="M {x:.6f} 1"/><image xlink:href="data:image/png;base64,{data}"/>'


def test_pictures_are_compared_by_what_can_be_seen(script: ModuleType) -> None:
    picture = svg(script, 1.0, 128, level=9)
    assert script.same_picture(picture, svg(script, 1.000001, 128, level=0).replace("m0123456789", "mabcdefabcd"))
    assert not script.same_picture(picture, svg(script, 1.5, 128, level=9))
    assert not script.same_picture(picture, svg(script, 1.0, 129, level=9))
