"""Spellings of "no value", and values that may be one."""

from collections.abc import Sequence

from millrace.contract.source import Source

KNOWN = frozenset(Source.model_fields["null_values"].default)
"""What Millrace reads as no value in any column, without being told."""
_ANYWHERE = KNOWN | {"n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "\\N", "(null)"}
_AMONG_NUMBERS = frozenset(
    ["-", "--", ".", "?", "na", "nil", "none", "null", "missing", "unknown", "undefined", "not available", "#value!"]
)
_AMONG_WORDS = frozenset(["-", "--", ".", "?", "none", "missing", "unknown", "undefined", "not available", "nil"])


def says_nothing(value: str) -> bool:
    """Whether a text means "no value" in whatever column it stands."""
    return value in _ANYWHERE


def says_nothing_among_numbers(value: str) -> bool:
    """Whether a text means "no value" beside numbers or times."""
    return says_nothing(value) or value.strip().lower() in _AMONG_NUMBERS


def suspects(values: Sequence[str]) -> list[str]:
    """Words among other words that may mean "no value"."""
    return [value for value in values if value.strip().lower() in _AMONG_WORDS]
