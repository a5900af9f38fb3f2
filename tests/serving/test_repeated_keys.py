"""A key that comes twice is found however it is written, and no text is taken for one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from serving.repeated_keys import repeated_key

KEYS = st.sampled_from(["a", "b", "rows", "a:b", 'a":', "\u00e9", "", " :"])
VALUES = st.sampled_from([1, None, "", "x", "10:20", '":', '\\":', " :", ' ": ', "\\", {"a": 1}, [{"a": 1}], {}])
SPACES = st.sampled_from(["", " ", "\n", "\t", "\r", "  "])


@st.composite
def objects(draw: st.DrawFn, values: st.SearchStrategy[Any] = VALUES) -> str:
    """The text of an object; its keys may come twice, with escapes and spaces as they like."""
    members = []
    for _ in range(draw(st.integers(0, 5))):
        key = json.dumps(draw(KEYS), ensure_ascii=draw(st.booleans()))
        key = key.replace(":", draw(st.sampled_from([":", "\\u003a"])))
        value = draw(values)
        written = value if isinstance(value, str) and value.startswith("[") else json.dumps(value)
        members.append(f"{key}{draw(SPACES)}:{draw(SPACES)}{written}")
    return "{" + ",".join(members) + "}"


BATCHES = st.lists(objects(), max_size=4).map(lambda rows: "[" + ",".join(rows) + "]")


def holds_one_twice(text: str) -> bool:
    found = False

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal found
        found |= len(dict(pairs)) < len(pairs)
        return dict(pairs)

    json.loads(text, object_pairs_hook=look)
    return found


@given(objects() | objects(BATCHES) | BATCHES.map(lambda rows: '{"rows":' + rows + "}"))
def test_it_finds_what_a_careful_parser_finds(text: str) -> None:
    assert (repeated_key(text.encode(), from_json(text.encode())) is not None) == holds_one_twice(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"Age": 1, "Age": 2}',
        '{"Age": 1, "Age" : 2}',
        '{"Age": 1, "\\u0041ge": 2}',
        '{"rows": [{"Age": 1}], "Age": 3, "rows": [{"Age": 2, "Age": 3}]}',
        '{"rows": [{"x": "10:20"}, {"Age": 1, "Age": 2}]}',
        '{"Age": {"Age": 1}, "Age": 1}',
    ],
)
def test_a_key_that_comes_twice_is_named(text: str) -> None:
    assert repeated_key(text.encode(), from_json(text)) in ("Age", "rows")


@pytest.mark.parametrize(
    "text", ['{"a": 1, "A": 1}', '{"a": "\\"a\\": 1"}', '{"a": {"a": {"a": 1}}}', "[]", "1", '"::"']
)
def test_what_only_looks_so_is_none(text: str) -> None:
    assert repeated_key(text.encode(), from_json(text)) is None
