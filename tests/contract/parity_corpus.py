"""One corpus of rows for every renderer of the constraints: Spark predicates, Great Expectations, request models.

A case tells what a file says (`raw`, text before any cast), what a request says (`value`, JSON), and the reason codes
that each must be given. Where only one of the two can say a thing, the other is None and that engine skips the case.

What the cases hold engines to, where their defaults differ: a pattern matches the whole value, with ASCII classes and
only "\\n" ending a line (Python: `re.compile(pattern, re.ASCII).fullmatch`; Java: `(?d)\\A(?:…)\\z`); a spelling of "no
value" counts in a request too; a request's number must be one in JSON, and true is not 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from millrace.contract.source import Column, CrossColumnRule, Scalar, Source


@dataclass(frozen=True)
class Case:
    """One row, and the codes of `constraints.reason` that it must be given; no codes: a valid row."""

    name: str
    columns: Mapping[str, Column]
    raw: Mapping[str, str] | None
    value: Mapping[str, Scalar | None] | None
    reasons: frozenset[str]
    rules: tuple[CrossColumnRule, ...] = ()

    def source(self) -> Source:
        """A source of this case's columns alone."""
        return Source(
            assigned_key="row_content", assigned_time="file_modified", columns=dict(self.columns), rules=self.rules
        )


class _Unsayable:
    """A file cannot say `true` without quotes; JSON cannot say "+7"."""


UNSAYABLE = _Unsayable()


def _one(name: str, column: Column, raw: str | _Unsayable, value: Scalar | _Unsayable | None, *kinds: str) -> Case:
    return Case(
        name=name,
        columns={"c": column},
        raw=None if isinstance(raw, _Unsayable) else {"c": raw},
        value=None if isinstance(value, _Unsayable) else {"c": value},
        reasons=frozenset(f"{kind}:c" for kind in kinds),
    )


def _same(name: str, column: Column, text: str, *kinds: str) -> Case:
    return _one(name, column, text, text, *kinds)


def _pair(
    kind: Column,
    left: str,
    operator: Literal["<", "<=", ">", ">=", "==", "!="],
    right: str,
    *reasons: str,
    other: Column | None = None,
    value: Mapping[str, Scalar | None] | None = None,
) -> Case:
    return Case(
        name=f"rule: {'nullable ' if kind.nullable else ''}{kind.type} {left!r} {operator} {right!r}",
        columns={"a": kind, "b": other or kind},
        raw={"a": left, "b": right},
        value=value,
        reasons=frozenset(reasons),
        rules=(CrossColumnRule(name="ordered", left="a", operator=operator, right="b"),),
    )


INTEGER, NUMBER, BOOLEAN = Column(type="integer"), Column(type="number"), Column(type="boolean")
STRING, TIMESTAMP = Column(type="string"), Column(type="timestamp")
TENTHS = Column(type="number", min=0, max=10)
COUNT = Column(type="integer", min=0, max=10)
HIDDEN_ZERO = Column(type="integer", min=20, nullable=True, null_values=("0",))
ANSWER = Column(type="string", allowed=("Yes", "No"))
BINARY = Column(type="integer", allowed=(0, 1))
KEY = Column(type="string", pattern="A[0-9]{8}")
OPTIONAL_NUMBER = Column(type="number", nullable=True)

INTEGERS = (
    _one("integer", INTEGER, "42", 42),
    _one("integer below zero", INTEGER, "-7", -7),
    _one("integer with a plus sign", INTEGER, "+7", UNSAYABLE),
    _one("integer with leading zeros", INTEGER, "007", UNSAYABLE),
    _one("integer of 18 digits", INTEGER, "9" * 18, int("9" * 18)),
    _one("integer of 19 digits", INTEGER, "2172371436436455782", 2172371436436455782),
    _one("the greatest integer", INTEGER, "8" + "9" * 18, int("8" + "9" * 18)),
    _one("the least integer", INTEGER, "-8" + "9" * 18, -int("8" + "9" * 18)),
    _one("an integer that is too great", INTEGER, "9" + "0" * 18, 9 * 10**18, "type"),
    _one("integer of 20 digits", INTEGER, "1" + "0" * 19, 10**19, "type"),
    _one("integer with a fraction", INTEGER, "1.5", 1.5, "type"),
    _one("integer as pandas writes it", INTEGER, "1.0", UNSAYABLE),
    _one("integer with a point in JSON", INTEGER, UNSAYABLE, 1.0, "type"),
    _one("integer of 18 digits as pandas writes it", INTEGER, "-" + "9" * 18 + ".00", UNSAYABLE),
    _one("integer of 19 digits as pandas writes it", INTEGER, "1" + "0" * 18 + ".0", UNSAYABLE),
    _one("an integer that is too great, as pandas writes it", INTEGER, "9" + "0" * 18 + ".0", UNSAYABLE, "type"),
    _one("integer with nothing after the point", INTEGER, "1.", UNSAYABLE, "type"),
    _one("integer with an exponent", INTEGER, "1e3", 1e3, "type"),
    _one("true is not an integer", INTEGER, "true", True, "type"),
    _one("text is not an integer in JSON", INTEGER, UNSAYABLE, "42", "type"),
    *(_same(f"not an integer: {t!r}", INTEGER, t, "type") for t in (" 1", "1 ", "1\n", "1_000", "0x10", "١", "abc")),
)
NUMBERS = (
    _one("number", NUMBER, "3.5", 3.5),
    _one("number below zero", NUMBER, "-3.5", -3.5),
    _one("integer as a number", NUMBER, "3", 3),
    _one("number without a leading digit", NUMBER, ".5", UNSAYABLE),
    _one("number without a trailing digit", NUMBER, "5.", UNSAYABLE),
    _one("number with an exponent", NUMBER, "1e3", 1e3),
    _one("number with a negative exponent", NUMBER, "2.5E-3", 2.5e-3),
    _one("number too small to tell from zero", NUMBER, "1e-999", 0.0),
    _one("number that is not finite", NUMBER, "1e999", float("inf"), "type"),
    _one("not a number at all", NUMBER, "NaN", float("nan"), "type"),
    _one("true is not a number", NUMBER, "true", True, "type"),
    *(_same(f"not a number: {t!r}", NUMBER, t, "type") for t in ("1d", "1f", "1,5", "Infinity", "1 ", "1.5\n", ".")),
)
BOOLEANS = (
    *(_one(f"boolean: {t}", BOOLEAN, t, True) for t in ("true", "TRUE", "Yes", "y", "1")),
    *(_one(f"boolean: {t}", BOOLEAN, t, False) for t in ("false", "No", "N", "0")),
    *(_same(f"not a boolean: {t!r}", BOOLEAN, t, "type") for t in ("t", "on", "2", "yes ", "true\n")),
    _one("a number is not a boolean in JSON", BOOLEAN, UNSAYABLE, 1, "type"),
)
TIMESTAMPS = (
    *(
        _same(f"timestamp: {t}", TIMESTAMP, t)
        for t in (
            "2026-01-31",
            "2026-01-31 10:20",
            "2026-01-31T10:20:30",
            "2026-01-31 10:20:30.5",
            "2026-01-31T10:20:30.123456Z",
            "2026-01-31T10:20:30+01:00",
            "2026-01-31 10:20:30-0530",
            "2026-01-31T10:20Z",
            "2026-01-31 10:20:30 UTC",
            "2019-10-01 00:00:00 UTC",
            "2024-02-29",
        )
    ),
    *(
        _same(f"not a timestamp: {t!r}", TIMESTAMP, t, "type")
        for t in (
            "2026-02-30",
            "2025-02-29",
            "2026-13-01",
            "2026-1-31",
            "2026-01-31T24:00:00",
            "2026-01-31T10:61",
            "2026-01-31T10",
            "2026-01-31T10:20:30.1234567",
            "2026-01-31T10:20:30+25:00",
            "2026-01-31T10:20:30+19:00",
            "2026-01-31Z",
            "0000-01-01",
            "2026-01-31\n",
            "31.01.2026",
            "now",
            "1769853600",
        )
    ),
    _one("a number is not a timestamp in JSON", TIMESTAMP, UNSAYABLE, 1769853600, "type"),
)
STRINGS = (
    _same("string", STRING, "Bücher, gebunden"),
    _same("string of spaces", STRING, " "),
    _one("a number is not a string in JSON", STRING, UNSAYABLE, 5, "type"),
)
MISSING = (
    _one("required integer", INTEGER, "", None, "required"),
    _one("required string", STRING, "", None, "required"),
    _same("a spelling of nothing", STRING, "N/A", "required"),
    _one("nullable", OPTIONAL_NUMBER, "NULL", None),
    _one("nullable, range", HIDDEN_ZERO, "", None),
    _one("a column's own spelling of nothing", HIDDEN_ZERO, "0", 0),
    _one("a column's own spelling of nothing, as pandas writes it", HIDDEN_ZERO, "0.0", UNSAYABLE),
    _one("not quite the column's own spelling of nothing", HIDDEN_ZERO, "1", 1, "range"),
    _one(
        "a column's own spelling of nothing, required",
        Column(type="integer", null_values=("-1",)),
        "-1",
        -1,
        "required",
    ),
    _same("not every word for nothing is a spelling of nothing", OPTIONAL_NUMBER, "none", "type"),
    _one("nullable, allowed", Column(type="integer", allowed=(0, 1), nullable=True), "", None),
    _one("nullable, pattern", Column(type="string", pattern="x+", nullable=True), "", None),
)
RANGES = (
    _one("at the lower end", TENTHS, "0", 0),
    _one("at the upper end", TENTHS, "10.0", 10.0),
    _one("below", TENTHS, "-0.001", -0.001, "range"),
    _one("above", TENTHS, "10.001", 10.001, "range"),
    _one("integer at the upper end", COUNT, "10", 10),
    _one("integer above", COUNT, "11", 11, "range"),
    _one("no upper end", Column(type="number", min=0), "1e300", 1e300),
    _one("no lower end", Column(type="number", max=0), "-1e300", -1e300),
    _one("no lower end, above", Column(type="number", max=0), "0.1", 0.1, "range"),
    _same("what is not of the type has no range", COUNT, "many", "type"),
)
ALLOWED = (
    _same("allowed", ANSWER, "Yes"),
    *(_same(f"not allowed: {t!r}", ANSWER, t, "allowed") for t in ("yes", "Yes ", "Yes\n", "Maybe")),
    _one("allowed integer", BINARY, "1", 1),
    _one("allowed integer, written otherwise", BINARY, "01", UNSAYABLE),
    _one("allowed integer, as pandas writes it", BINARY, "1.0", UNSAYABLE),
    _one("integer not allowed, as pandas writes it", BINARY, "2.0", UNSAYABLE, "allowed"),
    _one("integer not allowed", BINARY, "2", 2, "allowed"),
    _one(
        "every broken constraint is told",
        Column(type="integer", min=0, max=5, allowed=(0, 1, 9)),
        "7",
        7,
        "range",
        "allowed",
    ),
)
PATTERNS = (
    _same("pattern", KEY, "A00000001"),
    *(
        _same(f"pattern, whole value: {t!r}", KEY, t, "pattern")
        for t in ("xA00000001", "A000000011", "A00000001\n", "a00000001")
    ),
    _same("pattern, alternatives", Column(type="string", pattern="a|bc"), "bc"),
    _same("pattern, alternatives, whole value", Column(type="string", pattern="a|bc"), "abc", "pattern"),
    _same("pattern, digits are ASCII", Column(type="string", pattern=r"\d+"), "12"),
    _same("pattern, other digits", Column(type="string", pattern=r"\d+"), "١٢", "pattern"),
    _same("pattern, words are ASCII", Column(type="string", pattern=r"\w+"), "Bücher", "pattern"),
    _same("pattern, a line end is no character", Column(type="string", pattern="a.c"), "a\nc", "pattern"),
    _same("pattern, a carriage return is one", Column(type="string", pattern="a.c"), "a\rc"),
    _same("pattern, its own flag", Column(type="string", pattern="(?i)yes"), "YES"),
    _same("pattern and allowed", Column(type="string", pattern="a+", allowed=("b",)), "c", "allowed", "pattern"),
)
BROKEN = "cross_column:ordered"
RULES = (
    _pair(NUMBER, "1", "<", "2", value={"a": 1, "b": 2}),
    _pair(NUMBER, "2", "<", "2", BROKEN, value={"a": 2, "b": 2}),
    _pair(NUMBER, "2", "<=", "2", value={"a": 2, "b": 2}),
    _pair(NUMBER, "2.5", "<=", "2", BROKEN, value={"a": 2.5, "b": 2}),
    _pair(NUMBER, "3", ">", "2", value={"a": 3, "b": 2}),
    _pair(NUMBER, "2", ">", "2", BROKEN, value={"a": 2, "b": 2}),
    _pair(NUMBER, "2", ">=", "2", value={"a": 2, "b": 2}),
    _pair(NUMBER, "1", ">=", "2", BROKEN, value={"a": 1, "b": 2}),
    _pair(NUMBER, "2", "==", "2.0", value={"a": 2, "b": 2.0}),
    _pair(NUMBER, "2", "==", "3", BROKEN, value={"a": 2, "b": 3}),
    _pair(NUMBER, "2", "!=", "3", value={"a": 2, "b": 3}),
    _pair(NUMBER, "2", "!=", "2", BROKEN, value={"a": 2, "b": 2}),
    _pair(INTEGER, "2", "<", "2.5", other=NUMBER, value={"a": 2, "b": 2.5}),
    _pair(STRING, "B", "<", "a", value={"a": "B", "b": "a"}),
    _pair(STRING, "b", "==", "a", BROKEN, value={"a": "b", "b": "a"}),
    _pair(
        TIMESTAMP,
        "2026-01-01T01:00:00+02:00",
        "<",
        "2026-01-01",
        value={"a": "2026-01-01T01:00:00+02:00", "b": "2026-01-01"},
    ),
    _pair(TIMESTAMP, "2026-01-02", "<=", "2026-01-01", BROKEN, value={"a": "2026-01-02", "b": "2026-01-01"}),
    _pair(OPTIONAL_NUMBER, "", "<", "1", value={"a": None, "b": 1}),
    _pair(OPTIONAL_NUMBER, "1", "==", "", value={"a": 1, "b": None}),
    _pair(OPTIONAL_NUMBER, "", "!=", "", value={"a": None, "b": None}),
    _pair(NUMBER, "", "<", "1", "required:a", value={"a": None, "b": 1}),
    _pair(NUMBER, "one", ">", "1", "type:a", value={"a": "one", "b": 1}),
)

CORPUS: tuple[Case, ...] = (
    *INTEGERS,
    *NUMBERS,
    *BOOLEANS,
    *TIMESTAMPS,
    *STRINGS,
    *MISSING,
    *RANGES,
    *ALLOWED,
    *PATTERNS,
    *RULES,
)
