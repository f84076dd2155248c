"""Run the code of a page of documentation, and write the outputs and the pictures that it gives into the page.

    python scripts/tutorial.py            # docs/tutorial.md and docs/images
    python scripts/tutorial.py --check    # write nothing; exit with 1 if something differs

What is run, in order and in one namespace, as in a notebook:

- Blocks of ```python. A block of ```text right after one is its output: what it prints, then the value of its last
  expression. Figures that it saves as NAME.svg are pictures of the page, in the folder `images` beside it.
- In blocks of ```console, the commands ($ numbatch ...) that are followed by output.

Outputs are compared in words and in numbers, each number to the precision that is shown, and "..." stands for anything.
What agrees is left as it is, so that a page changes only where it was wrong.
"""

import argparse
import ast
import base64
import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "tutorial.md"

# What the code of the page finds in the folder that it runs in, as in a checkout.
AT_HAND = ("models",)

_BLOCK = re.compile(r"^```(python|console)\n(.*?)^```\n(?:\n^```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?")
_PICTURE_PART = re.compile(r"data:image/png;base64,[^\"]+|-?\d+(?:\.\d+)?")
_METADATA = re.compile(r" *<metadata>.*?</metadata>\n", re.DOTALL)
_ID = re.compile(r"\b([a-z]+)[0-9a-f]{10}\b")

# In points. Far less can be seen, and the last digit may differ from one machine to the next.
_PICTURE_TOLERANCE = 0.02


class Ran(NamedTuple):
    """What came of running a page.

    Attributes
    ----------
    text : str
        The page, with the outputs that the code gives.
    pictures : dict of str to str
        What it draws, SVG by file name.
    wrong_outputs : list of str
        Where the page shows something else than the code gives: "line 12: got ..., expected ...".
    """

    text: str
    pictures: dict[str, str]
    wrong_outputs: list[str]


def run_page(page: Path) -> Ran:
    """Run the code of a page, in a folder of its own that is removed afterwards."""
    text = page.read_text(encoding="utf-8")
    pieces, wrong, end = [], [], 0
    namespace: dict[str, Any] = {"__name__": "tutorial"}
    with tempfile.TemporaryDirectory(prefix="numbatch-tutorial-") as folder, _working_in(Path(folder)):
        try:
            for block in _BLOCK.finditer(text):
                line = text.count("\n", 0, block.start()) + 2
                run = _run_python if block[1] == "python" else _run_console
                new, problem = run(block, page, line, namespace)
                pieces += [text[end : block.start()], new]
                wrong += [f"line {line}: {problem}"] if problem else []
                end = block.end()
        finally:
            _end_processes(namespace)
        pictures = {path.name: _METADATA.sub("", path.read_text()) for path in sorted(Path(folder).glob("*.svg"))}
    return Ran("".join([*pieces, text[end:]]), pictures, wrong)


def same_output(shown: str, real: str) -> bool:
    """Return whether an output is what is shown: its words, and its numbers to the precision shown."""
    shown, real = (re.sub(r"\[ +", "[", " ".join(text.split())) for text in (shown, real))  # as wide as NumPy made them
    if "..." in shown:
        return re.fullmatch(".*".join(re.escape(part.strip()) for part in shown.split("...")), real) is not None
    return _alike(shown, real, _NUMBER, lambda a, b: abs(float(a) - float(b)) <= 1.001 * _last_digit(a))


def same_picture(shown: str, drawn: str) -> bool:
    """Return whether two SVG texts look the same: shapes to a fraction of a point, embedded images pixel by pixel."""
    return _alike(_ID.sub(r"\1", shown), _ID.sub(r"\1", drawn), _PICTURE_PART, _same_part)


def wrong_pictures(ran: Ran, folder: Path) -> Iterator[str]:
    """Say which pictures in a folder are not those that a page draws."""
    there = {path.name: path.read_text() for path in folder.glob("*.svg")}
    for name in sorted(there.keys() | ran.pictures.keys()):
        if name not in there:
            yield f"{name} is missing"
        elif name not in ran.pictures:
            yield f"{name} is drawn by nothing"
        elif not same_picture(there[name], ran.pictures[name]):
            yield f"{name} is not what the code draws"


def write(ran: Ran, page: Path) -> None:
    """Write the page and its pictures anew, where they differ."""
    page.write_text(ran.text, encoding="utf-8")
    folder = page.parent / "images"
    folder.mkdir(exist_ok=True)
    for problem in list(wrong_pictures(ran, folder)):
        name = problem.partition(" ")[0]
        if name in ran.pictures:
            (folder / name).write_text(ran.pictures[name])
        else:
            (folder / name).unlink()


def _run_python(block: re.Match[str], page: Path, line: int, namespace: dict[str, Any]) -> tuple[str, str]:
    """Run a block; return it with its output, and what is wrong with the output shown."""
    code, shown = block[2], block[3] or ""
    tree = ast.increment_lineno(ast.parse(code), line - 1)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(tree, str(page), "exec"), namespace)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), str(page), "eval"), namespace)
            if value is not None:
                print(repr(value))
    output = _tidy(said.getvalue())
    if same_output(shown, output):
        return block[0], ""
    text = f"\n```text\n{output}```\n" if output else ""
    return f"```python\n{code}```\n{text}", _difference(shown, output)


def _run_console(block: re.Match[str], page: Path, line: int, namespace: dict[str, Any]) -> tuple[str, str]:
    """Run the commands of a block that show output; return it with theirs, and what is wrong with those shown."""
    pieces, problems = [], []
    for command, shown in re.findall(r"^\$ (.*\n)((?:(?!\$ ).*\n)*)", block[2], re.MULTILINE):
        output = _tidy(_said_by(command)) if shown.strip() else shown
        same = same_output(shown, output)
        pieces.append(f"$ {command}{shown if same else output}")
        problems += [] if same else [_difference(shown, output)]
    return f"```console\n{''.join(pieces)}```\n", "; ".join(problems)


def _said_by(command: str) -> str:
    name, *arguments = shlex.split(command, comments=True)
    assert name == "numbatch", command
    ran = subprocess.run([sys.executable, "-m", "numbatch.cli", *arguments], capture_output=True, text=True, check=True)
    return ran.stdout


def _tidy(output: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in output.strip("\n").splitlines())


def _difference(shown: str, output: str) -> str:
    return f"got\n{output}expected, as the page shows,\n{shown}"


def _alike(a: str, b: str, part: re.Pattern[str], same: Callable[[str, str], bool]) -> bool:
    """Return whether two texts have equal words between parts, and parts that are the same."""
    parts_a, parts_b = part.findall(a), part.findall(b)
    return part.split(a) == part.split(b) and all(map(same, parts_a, parts_b))


def _last_digit(number: str) -> float:
    """Return the worth of the last digit of a number, 0 of an integer."""
    digits, _, exponent = number.partition("e")
    decimals = len(digits.partition(".")[2])
    return 10.0 ** (int(exponent or 0) - decimals) if "." in digits or exponent else 0.0


def _same_part(a: str, b: str) -> bool:
    if a.startswith("data:") or b.startswith("data:"):
        return a == b or _pixels(a) == _pixels(b)
    return abs(float(a) - float(b)) <= _PICTURE_TOLERANCE


def _pixels(url: str) -> tuple[tuple[int, int], bytes]:
    """Return the size and the pixels of an image: the same ones may be compressed in several ways."""
    from PIL import Image

    image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGBA")
    return image.size, image.tobytes()


@contextlib.contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    """Work in a folder with what is at hand; what the page sets for the whole process is set back afterwards."""
    for name in AT_HAND:
        (folder / name).symlink_to(ROOT / name)
    without_windows = mock.patch.dict(os.environ, MPLBACKEND="agg")
    with contextlib.chdir(folder), np.printoptions(), without_windows:
        yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


def _end_processes(namespace: dict[str, Any]) -> None:
    """End what the page started and did not end, as it failed before."""
    for value in namespace.values():
        if isinstance(value, subprocess.Popen) and value.poll() is None:
            value.kill()
            value.communicate()


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Run the code of a page and write its outputs and pictures.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if something differs")
    parser.add_argument("page", nargs="?", type=Path, default=PAGE, help="the page (default: docs/tutorial.md)")
    arguments = parser.parse_args()
    page = arguments.page.resolve()
    ran = run_page(page)
    if not arguments.check:
        write(ran, page)
        return 0
    problems = [*ran.wrong_outputs, *wrong_pictures(ran, page.parent / "images")]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
