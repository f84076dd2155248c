"""A page as a tree, read by Python's own parser, which is no browser: what it does not close, we did not close."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"input", "link", "meta"}


@dataclass
class Element:
    """An element: its name, attributes and what is in it."""

    name: str
    attributes: dict[str, str | None]
    children: list["Element | str"] = field(default_factory=list)

    def all(self, name: str = "") -> Iterator["Element"]:
        """All elements inside, or those of one name, in the order in which they begin."""
        for child in self.children:
            if isinstance(child, Element):
                if name in ("", child.name):
                    yield child
                yield from child.all(name)

    def one(self, name: str, **attributes: str) -> "Element":
        """The only element of this name with these attributes (`class_` for class)."""
        wanted = {key.removesuffix("_"): value for key, value in attributes.items()}
        (found,) = (element for element in self.all(name) if wanted.items() <= element.attributes.items())
        return found

    @property
    def text(self) -> str:
        """All text inside."""
        return "".join(child if isinstance(child, str) else child.text for child in self.children)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.stack = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        assert len(element.attributes) == len(attrs), f"<{tag}> has an attribute twice"
        self.stack[-1].children.append(element)
        if tag not in _VOID:
            self.stack.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop().name == tag

    def handle_data(self, data: str) -> None:
        self.stack[-1].children.append(data)


def read_page(page: str) -> Element:
    """Read a page; every element must be closed where it should be."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    (root,) = reader.stack
    return root.one("html")
