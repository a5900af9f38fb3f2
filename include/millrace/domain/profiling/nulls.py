"""Spellings of "no value", and values that may be one."""

from collections.abc import Sequence

from millrace.contract.source import Source

KNOWN = frozenset(Source.model_fields["null_values"].default)
"""What Millrace reads as no value in any column, without being told."""
ANYWHERE = KNOWN | {"n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "\\N", "(null)"}
"""Texts that mean "no value" in whatever column they stand."""
_WORDS = ("-", "--", ".", "?", "nil", "none", "missing", "unknown", "undefined", "not available")
_SPELLED = frozenset(form for word in _WORDS for form in (word, word.capitalize(), word.upper()))
AMONG_NUMBERS = ANYWHERE | _SPELLED | {"na", "Na", "Null", "#VALUE!", "#DIV/0!"}
"""Texts that mean "no value" beside numbers or times."""


def suspects(values: Sequence[str]) -> list[str]:
    """Words among other words that may mean "no value"."""
    return [value for value in values if value in _SPELLED]
