"""How a file is written, from its first bytes."""

from collections.abc import Sequence

import pytest

from millrace.domain.profiling.dialect import Dialect, UnreadableFileError, find_dialect, find_encoding


def dialect_of(text: str) -> Dialect:
    return find_dialect(text.encode(), "utf-8", whole=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1,2\n", Dialect(("a", "b"))),
        ("a;b\n1,5;x\n", Dialect(("a", "b"), delimiter=";", decimal=",")),
        ("a;b\n1,5;2.5\n", Dialect(("a", "b"), delimiter=";")),
        ("a\tb\n1\t2\n", Dialect(("a", "b"), delimiter="\t")),
        ("a|b\n1|x,y\n2|z,w\n", Dialect(("a", "b"), delimiter="|")),
        ('"a, b",c\n"1, 2",3\n', Dialect(("a, b", "c"))),
        ("a, b\n1, x\n", Dialect(("a", "b"), trim=True)),
        ("a,b\n31.1.2026,1\n1.2.2026,2\n", Dialect(("a", "b"), dates="day_first")),
        ("a,b\n1/31/2026 9:05,1\n2/1/2026 9:06,2\n", Dialect(("a", "b"), dates="month_first")),
        ("a,b\n1/2/2026,1\n", Dialect(("a", "b"), dates="day_first")),
        ("a,b\n2026-01-31,1\n", Dialect(("a", "b"))),
        ("\ufeffa,b\n1,2\n", Dialect(("a", "b"))),
    ],
)
def test_a_file_tells_how_it_is_written(text: str, expected: Dialect) -> None:
    assert dialect_of(text) == expected


def test_a_cut_last_line_says_nothing() -> None:
    assert find_dialect(b"a;b\n1;2\n3,4", "utf-8", whole=False).delimiter == ";"


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "is empty"), (" \n", "is empty"), ("a\n1\n2\n", "one column"), ("6,148\n1,85\n", "numbers only")],
)
def test_what_is_no_table_is_refused(text: str, said: str) -> None:
    with pytest.raises(UnreadableFileError, match=said):
        dialect_of(text)


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        (["Köln".encode()], "utf-8"),
        (["Köln".encode()[:2], "Köln".encode()[2:]], "utf-8"),
        (["Köln €".encode("cp1252")], "cp1252"),
        ([b"K\xf6ln \x81"], "latin-1"),
        (["Köln".encode("utf-16")], "utf-16"),
    ],
)
def test_the_encoding_is_one_in_which_every_byte_means_something(chunks: Sequence[bytes], expected: str) -> None:
    assert find_encoding(chunks) == expected


def test_a_binary_file_is_refused() -> None:
    with pytest.raises(UnreadableFileError, match="NUL"):
        find_encoding([b"\x7fELF\0\0"])
