"""Elements of HTML and SVG as text, in which nothing that comes from outside can be more than text."""

import re
from collections.abc import Iterable
from html import escape

# What XML has no place for; a model's name or an answer's text may hold it.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_VOID = {"br", "hr", "input", "link", "meta"}


class Markup(str):
    """Text that is markup already. All other text is escaped where it becomes part of an element."""

    __slots__ = ()


Child = str | int | float | None | Iterable["Child"]


def tag(name: str, /, *children: Child, **attributes: str | float | bool | None) -> Markup:
    """Return an element.

    Parameters
    ----------
    name : str
        Such as "p".
    *children
        Markup, text (escaped), numbers, or lists of them; None is nothing.
    **attributes
        `class_` is written as class, `text_anchor` as text-anchor; True as the name alone; None and False are left out.
    """
    opening = name + "".join(map(_attribute, attributes.items()))
    return Markup(f"<{opening}>" if name in _VOID else f"<{opening}>{joined(*children)}</{name}>")


def joined(*children: Child) -> Markup:
    """Return several children one after the other."""
    return Markup("".join(map(_child, children)))


def number(value: float) -> str:
    """Return a coordinate, to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def _child(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return text(child)
    if isinstance(child, int | float):
        return number(child)
    return joined(*child)


def text(plain: str) -> Markup:
    """Return text, escaped."""
    return Markup(escape(_FORBIDDEN.sub("\ufffd", plain)))


def _attribute(item: tuple[str, str | float | bool | None]) -> str:
    name, value = item
    if value is None or value is False:
        return ""
    name = name.removesuffix("_").replace("_", "-")
    if value is True:
        return f" {name}"
    return f' {name}="{text(value) if isinstance(value, str) else number(value)}"'
