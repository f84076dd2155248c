"""What a load test found, for people: as text, as a page, and beside another run."""

from numbatch.loadtest.report.html import as_html, save_html
from numbatch.loadtest.report.text import as_lines

__all__ = ["as_html", "as_lines", "save_html"]
