"""The page of a run: one file that asks nobody for anything, in which no text becomes markup."""

import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from millrace.reporting.page import (
    Bar,
    Block,
    Curve,
    Curves,
    Facts,
    Link,
    Page,
    Parts,
    Section,
    Spread,
    Stat,
    Table,
    Text,
    Words,
)
from millrace.reporting.render import render

HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(1)>\"'&{{ 7*7 }}"


class Seen(HTMLParser):
    """The elements, attributes and text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(words: str) -> Page:
    """A page with this text wherever text can be."""
    spread = Spread((words,), (0.5,), (1.0,))
    cells = (words, Text(words, "bad", code=True), Link(words, words), Bar(0.5, words), spread)
    blocks: tuple[Block, ...] = (
        Words(words),
        Words(words, "bad", code=True),
        Facts(((words, words),)),
        Parts(((words, 3, "good"), (words, 0, "bad"))),
        Table((words,), (cells,), fold=words),
        Curves((Curve(words, words, words, (0.0, 1.0), (0.0, 1.0), diagonal=True, dots=True),)),
    )
    stats = (Stat(words, words, words),)
    return Page(words, words, words, "good", words, ((words, words),), stats, (Section(words, blocks),))


def seen(page: Page) -> Seen:
    parser = Seen()
    parser.feed(render(page))
    return parser


@given(st.text(min_size=1, max_size=60) | st.just(HOSTILE))
def test_no_text_becomes_markup(words: str) -> None:
    # As long as the words: a short text does not wrap, and so has a class of its own.
    plain, told = seen(page_of("a" * len(words))), seen(page_of(words))
    assert told.tags == plain.tags
    assert [name for name, _ in told.attributes] == [name for name, _ in plain.attributes]


def test_every_text_is_shown() -> None:
    assert seen(page_of("what was said")).text.count("what was said") >= 20
    assert HOSTILE in seen(page_of(HOSTILE)).text


def test_a_page_needs_no_network_and_no_script() -> None:
    told = seen(page_of("http://elsewhere.example"))
    assert not {"script", "link", "img", "iframe"} & set(told.tags)
    policy = next(value for name, value in told.attributes if name == "content" and value and "default-src" in value)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    assert "url(" not in render(page_of("x"))


def test_only_web_addresses_are_linked() -> None:
    page = Page(
        "t", "s", "o", "good", "v", (("a", Link("run", "javascript:alert(1)")), ("b", Link("run", "http://h/x")))
    )
    assert [value for name, value in seen(page).attributes if name == "href"] == ["http://h/x"]


def test_what_is_too_long_says_so() -> None:
    assert "… and 6,000 characters more" in seen(Page("t", "s", "o", "bad", "x" * 10_000)).text


def test_the_parts_of_a_bar_are_as_wide_as_their_counts() -> None:
    html = render(
        Page("t", "s", "o", "good", "v", sections=(Section("r", (Parts((("a", 30, "good"), ("b", 10, "bad"))),)),))
    )
    assert re.findall(r'<rect class="(\w+)" x="([\d.]+)" width="([\d.]+)"', html) == [
        ("good", "0.00", "750.00"),
        ("bad", "750.00", "250.00"),
    ]


def test_the_same_page_gives_the_same_bytes() -> None:
    assert render(page_of("x")) == render(page_of("x"))
