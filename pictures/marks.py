"""What a figure consists of: marks with a place in pixels and a class that says what they mean; colours are the style sheet's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One element of SVG.

    Attributes:
        tag: `circle`, `line`, `path`, `rect` or `text`.
        kind: its class, which the style sheet has a colour and a shape for.
        place: attributes that say where it is, px.
        text: in a `text`.
        title: what it shows, for who points at it.
    """

    tag: str
    kind: str
    place: Mapping[str, str]
    text: str | None = None
    title: str | None = None


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture of one width, with its alternative in words.

    Attributes:
        name: of the figure on its page; letters, digits and `-`.
        title: what it is.
        text: what it shows, for who does not see it.
        width: px.
        height: px.
        marks: from the lowest to the topmost.
    """

    name: str
    title: str
    text: str
    width: int
    height: int
    marks: tuple[Mark, ...] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Plot:
    """The part of a figure inside its axes, px.

    Attributes:
        left: of it.
        right: of it.
        top: of it.
        bottom: of it.
    """

    left: float
    right: float
    top: float
    bottom: float


def line(kind: str, x1: float, y1: float, x2: float, y2: float, *, title: str | None = None) -> Mark:
    """Return a straight line between two places."""
    return Mark(tag="line", kind=kind, place=_in_pixels(x1=x1, y1=y1, x2=x2, y2=y2), title=title)


def rect(kind: str, x1: float, y1: float, x2: float, y2: float, *, title: str | None = None) -> Mark:
    """Return a rectangle between two corners, whichever they are.

    >>> rect("band", 10, 8, 4, 2).place
    {'x': '4', 'y': '2', 'width': '6', 'height': '6'}
    """
    place = _in_pixels(x=min(x1, x2), y=min(y1, y2), width=abs(x2 - x1), height=abs(y2 - y1))
    return Mark(tag="rect", kind=kind, place=place, title=title)


def dot(kind: str, x: float, y: float, *, radius: float, title: str | None = None) -> Mark:
    """Return a circle around a place."""
    return Mark(tag="circle", kind=kind, place=_in_pixels(cx=x, cy=y, r=radius), title=title)


def path(kind: str, places: Iterable[tuple[float, float]], *, is_closed: bool = False) -> Mark:
    """Return a line through places, or the area that it encloses.

    >>> path("average", [(0, 1), (2.04, 3)]).place
    {'d': 'M0 1L2 3'}
    """
    steps = "L".join(f"{_number(x)} {_number(y)}" for x, y in places)
    return Mark(tag="path", kind=kind, place={"d": f"M{steps}{'Z' if is_closed else ''}"})


def words(kind: str, x: float, y: float, text: str, *, anchor: str = "start") -> Mark:
    """Return text that begins, ends or has its middle at a place; `anchor` is `start`, `end` or `middle`."""
    return Mark(tag="text", kind=kind, place={**_in_pixels(x=x, y=y), "text-anchor": anchor}, text=text)


def _in_pixels(**places: float) -> dict[str, str]:
    return {name: _number(value) for name, value in places.items()}


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
