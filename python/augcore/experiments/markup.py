"""HTML that is escaped by construction, and the page that reports stand on.

Text that goes into a `tag` is escaped; only what came out of a `tag` is not. The page is one file: style sheet inline,
images as data URIs, no script. It is well-formed XML too, so that any parser can check it.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable
from importlib import resources

__all__ = ["Markup", "data_uri", "page", "png_size", "tag"]

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_EMPTY = frozenset({"br", "img", "meta", "col"})


class Markup(str):
    """A piece of finished HTML."""

    __slots__ = ()


def tag(name: str, /, *children: str | Iterable[str], **attributes: str | int | None) -> Markup:
    """An element. `class_` and the like lose their underscore; attributes that are None are left out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _EMPTY:
        return Markup(f"<{name}{written}/>")
    inner = "".join(_text(part) for child in children for part in ((child,) if isinstance(child, str) else child))
    return Markup(f"<{name}{written}>{inner}</{name}>")


def _text(part: str) -> str:
    return part if isinstance(part, Markup) else _escape(part)


def _escape(text: str) -> str:
    """Characters that no document may hold become U+FFFD."""
    return html.escape(_NOT_IN_XML.sub("\ufffd", text), quote=True)


def data_uri(png: bytes) -> str:
    """A picture as an address that holds it."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def png_size(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG in pixels, from its header."""
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def _style_sheet() -> str:
    return (resources.files("augcore.experiments") / "report.css").read_text(encoding="utf-8")


def page(title: str, *body: Markup) -> str:
    """A whole document."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Markup("\n" + _style_sheet())),
    )
    return "<!DOCTYPE html>\n" + tag("html", head, tag("body", tag("main", *body)), lang="en") + "\n"
