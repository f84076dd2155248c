"""A real browser without a window, where one is installed."""

import json
import shutil
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Sequence
from html import unescape
from pathlib import Path
from typing import Any

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)

# It draws one page after the other at this width and tells, of each: the labels in pictures that are cut off, those
# that cover each other, and by how many pixels the page is too wide.
_HARNESS = """<!doctype html><body><script>
const pages = %s, told = [];
const shown = text => !text.closest(".tip") && text.textContent.trim();
function look(frame) {
  const page = frame.contentDocument, found = {cut: [], covered: [], wide: 0, pictures: 0};
  found.wide = page.documentElement.scrollWidth - frame.clientWidth;
  for (const svg of page.querySelectorAll("svg")) {
    found.pictures++;
    const whole = svg.getBoundingClientRect();
    const labels = [...svg.querySelectorAll("text")].filter(shown).map(t => [t.textContent, t.getBoundingClientRect()]);
    const where = svg.querySelector("title").textContent;
    labels.forEach(([said, box], at) => {
      const beyond = [whole.left - box.left, box.right - whole.right, whole.top - box.top, box.bottom - whole.bottom];
      if (Math.max(...beyond) > 1) found.cut.push(where + ": " + said);
      for (const [other, its] of labels.slice(at + 1)) {
        const across = Math.min(box.right, its.right) - Math.max(box.left, its.left);
        const down = Math.min(box.bottom, its.bottom) - Math.max(box.top, its.top);
        if (across > 2 && down > 4) found.covered.push(where + ": " + said + " / " + other);
      }
    });
  }
  return found;
}
function next() {
  if (told.length == pages.length) { document.body.textContent = JSON.stringify(told); return; }
  const frame = document.createElement("iframe");
  frame.style = "border: 0; width: %dpx; height: 900px";
  frame.onload = () => { told.push(look(frame)); frame.remove(); next(); };
  frame.srcdoc = pages[told.length];
  document.body.append(frame);
}
next();
</script>"""


def looked_at(pages: Sequence[str], width: int = 1200) -> list[dict[str, Any]]:
    """What a browser finds in pages: labels that are cut off or covered, pixels that it is too wide, pictures."""
    sources = json.dumps(list(pages)).replace("<", "\\u003c")
    dom = _run(
        _HARNESS % (sources, width), ["--dump-dom", "--virtual-time-budget=20000", f"--window-size={width + 100},1000"]
    )
    body = dom[dom.index("<body>") + 6 : dom.index("</body>")]
    found: list[dict[str, Any]] = json.loads(unescape(body))
    return found


def corner(page: str, *, dark: bool) -> tuple[int, int, int]:
    """The colour of a page's lower left corner for somebody who likes it dark, or light."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "picture.png"
        scheme = "0" if dark else "1"
        options = [f"--screenshot={file}", f"--blink-settings=preferredColorScheme={scheme}", "--window-size=400,300"]
        _run(page, options)
        return _last_row(file.read_bytes())


def _run(page: str, options: Sequence[str]) -> str:
    assert BROWSER
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "page.html"
        file.write_text(page, encoding="utf-8")
        command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        command += ["--hide-scrollbars", f"--user-data-dir={folder}/profile", *options, file.as_uri()]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=50, check=True)
    return ran.stdout


def _last_row(png: bytes) -> tuple[int, int, int]:
    """The first pixel of the last row of a PNG file, whose rows above it must not matter: see `_unfilter`."""
    data, at = b"", 8
    width = channels = 0
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, _, depth, colour = struct.unpack(">IIBB", content[:10])
            assert depth == 8
            channels = {2: 3, 6: 4}[colour]
        data += content if kind == b"IDAT" else b""
        at += 12 + length
    raw = zlib.decompress(data)
    stride = 1 + width * channels
    pixel = [0] * channels
    for row in range(0, len(raw), stride):  # the first pixel has none to its left: only the one above counts
        halves = {0: 0, 1: 0, 2: 1, 3: 0.5, 4: 1}[raw[row]]
        pixel = [(raw[row + 1 + at] + int(halves * above)) % 256 for at, above in enumerate(pixel)]
    red, green, blue = pixel[:3]
    return red, green, blue
