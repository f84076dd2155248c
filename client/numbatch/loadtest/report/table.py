"""Tables: what the pictures show, as figures."""

from collections.abc import Sequence

from numbatch.loadtest.report.markup import Child, Markup, tag


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[Child]], words: int = 1) -> Markup:
    """Return a table.

    Parameters
    ----------
    caption : str
        What it is.
    heads : sequence of str
        The names of the columns.
    rows : sequence of sequence
        The cells; the first of each row is its name.
    words : int
        How many of the first columns are text: the others are figures.
    """
    aligned = [None if at < words else "n" for at in range(len(heads))]
    head = [tag("th", name, scope="col", class_=class_) for name, class_ in zip(heads, aligned, strict=True)]
    body = []
    for first, *rest in rows:
        cells = [tag("td", cell, class_=class_) for cell, class_ in zip(rest, aligned[1:], strict=True)]
        body.append(tag("tr", tag("th", first, scope="row"), *cells))
    inner = tag("table", tag("caption", caption), tag("thead", tag("tr", *head)), tag("tbody", *body))
    return tag("div", inner, class_="scroll", tabindex="0", role="region", aria_label=caption)


def behind(caption: str, heads: Sequence[str], rows: Sequence[Sequence[Child]], words: int = 1) -> Markup:
    """Return the table behind a picture, folded away."""
    return tag("details", tag("summary", "The figures"), table(caption, heads, rows, words), class_="data")


def figure(picture: Markup, caption: Child, *behind_it: Child) -> Markup:
    """Return a picture, what to see in it, and the table behind it."""
    return tag("figure", picture, tag("figcaption", caption), *behind_it)
