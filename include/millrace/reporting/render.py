"""A page as one HTML file that needs nothing else: no network, no script; light and dark, on screen and on paper."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from millrace.reporting.page import Curve, Page

LONGEST_TEXT = 4_000
"""An error may carry pages of text; what is cut off says so."""

WIDTH, HEIGHT = 240.0, 190.0
"""Of the area within the axes of a curve, in the units of its picture."""


def render(page: Page) -> str:
    """The HTML of a page. The same page gives the same bytes."""
    return _template().render(page=page)


@cache
def _template() -> Template:
    folder = Path(__file__).parent
    # Everything is escaped: not by the file's extension, which is not .html.
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"cut": _cut, "points": _points, "across": _across, "up": _up, "percent": _percent}
    environment.globals |= {"WIDTH": WIDTH, "HEIGHT": HEIGHT}
    environment.tests["address"] = lambda url: str(url).startswith(("http://", "https://"))
    return environment.get_template("page.html.j2")


def _cut(words: object) -> str:
    text = str(words)
    more = len(text) - LONGEST_TEXT
    return text if more <= 0 else f"{text[:LONGEST_TEXT]} … and {more:,} characters more"


def _points(curve: Curve) -> str:
    return " ".join(f"{_across(x)},{_up(y)}" for x, y in zip(curve.x, curve.y, strict=True))


def _across(x: float) -> str:
    return f"{x * WIDTH:.1f}"


def _up(y: float) -> str:
    return f"{(1 - y) * HEIGHT:.1f}"


def _percent(share: float) -> str:
    return f"{share:.1%}"
