"""What a load test found, for people: as text, as a page, and beside another run."""

from numbatch.loadtest.report.compare import Change, Comparison, compare
from numbatch.loadtest.report.html import as_html, save_html
from numbatch.loadtest.report.text import as_lines

__all__ = ["Change", "Comparison", "as_html", "as_lines", "compare", "save_html"]
