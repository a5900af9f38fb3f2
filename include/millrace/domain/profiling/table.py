"""A whole file: what each column is good for, and what a person has to decide."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from millrace.contract.errors import MillraceError
from millrace.domain.profiling.column import MOST_LEVELS, ColumnProfile, profile_column
from millrace.domain.profiling.dialect import Dialect
from millrace.domain.profiling.label import LabelProfile, label_place, profile_label
from millrace.domain.profiling.naming import column_names, words_of
from millrace.domain.profiling.texts import TextColumn

Role = Literal["input", "label", "key", "time", "sensitive", "excluded", "ignored"]
LEAK_AUC = 0.98
"""A column that alone sorts the rows this well is kept from the model until a person has looked."""
SUSPICIOUS_AUC = 0.9
_THING_WORDS = {"id", "ids", "uuid", "guid", "key", "session", "hash"}
_KEY_WORDS = _THING_WORDS | {"nr", "no", "number", "code", "ref", "index"}
_PERSON_WORDS = ("user", "customer", "client", "patient", "person", "member", "account", "session")
_TIME_WORDS = ("event", "seen", "visited", "applied", "created", "timestamp", "time", "date", "updated", "at")
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Place:
    """What a column is good for, and why not for more."""

    profile: ColumnProfile
    role: Role
    why: str = ""


@dataclass(frozen=True)
class TableProfile:
    """A file, column by column in its order."""

    dialect: Dialect
    rows: int
    """Rows that were looked at."""
    columns: tuple[Place, ...]
    label: LabelProfile
    repeated_rows: int
    """Rows that say the same as one before them in every column."""

    def of(self, role: Role) -> list[ColumnProfile]:
        """The columns of a role."""
        return [place.profile for place in self.columns if place.role == role]

    @property
    def groups(self) -> list[ColumnProfile]:
        """Columns that name what several rows belong to, such as a user; persons first."""
        named = (profile for profile in self.of("excluded") if names_a_thing(profile) and not profile.unique)
        return sorted(named, key=lambda profile: not set(_PERSON_WORDS) & set(words_of(profile.header)))


def profile_table(
    dialect: Dialect, rows: int, load: Callable[[int], TextColumn], label: str, place: str
) -> TableProfile:
    """Look at a file.

    Args:
        rows: How many rows are looked at.
        load: Gives one column by its place in the header; each is asked for once or twice, none is kept.
        label: Header of the column to predict.
        place: The file, for errors.

    Raises:
        MillraceError: If the label cannot be used, or nothing is left to predict it from.
    """
    headers = dialect.header
    at = label_place(headers, label, place)
    label_profile, positive = profile_label(label, load(at), dialect, place)
    names = column_names(headers, label)
    profiles, fingerprint = [], np.zeros(rows, dtype=np.uint64)
    for number, header in enumerate(headers):
        column = load(number)
        fingerprint = (fingerprint ^ column.codes.astype(np.uint64)) * _ODD
        profiles.append(profile_column(names[number], header, column, dialect, positive))
    columns = _with_an_input(_roles(profiles, at), place)
    return TableProfile(dialect, rows, columns, label_profile, rows - len(np.unique(fingerprint)))


def _roles(profiles: Sequence[ColumnProfile], label: int) -> list[Place]:
    key, time = _key(profiles, label), _time(profiles, label)
    found = []
    for number, profile in enumerate(profiles):
        if number == label:
            found.append(Place(profile, "label"))
        elif number == key:
            found.append(Place(profile, "key"))
        elif number == time:
            found.append(Place(profile, "time"))
        else:
            found.append(_role(profile))
    return found


def _role(profile: ColumnProfile) -> Place:
    if not profile.header:
        return Place(profile, "ignored", "it has no name in the header (an index that another program wrote?)")
    if not profile.distinct:
        return Place(profile, "ignored", "it holds no value at all")
    if profile.personal:
        return Place(profile, "sensitive", profile.personal)
    why = _why_no_input(profile)
    return Place(profile, "excluded", why) if why else Place(profile, "input")


def _why_no_input(profile: ColumnProfile) -> str:
    reasons = {
        "a time is no input; bring what matters of it as a number, such as an age": profile.type == "timestamp",
        "it holds dates that Millrace does not read: have them written as 2024-12-31": profile.other_dates,
        "it says the same in every row, so it tells nothing": profile.constant and not profile.missing,
        "it names a thing or a person, and says nothing about others": names_a_thing(profile),
        "nearly each row says something else: a text or a name, not a kind": _is_text(profile),
        f"it alone sorts {profile.auc:.1%} of all pairs by the label: is it known before the label is?": (
            profile.auc >= LEAK_AUC
        ),
    }
    return next((words for words, holds in reasons.items() if holds), "")


def _is_text(profile: ColumnProfile) -> bool:
    return profile.type == "string" and not profile.bars


def _with_an_input(columns: list[Place], place: str) -> tuple[Place, ...]:
    """The columns, with one input at least: a suspect is better than no model to look at."""
    if any(column.role == "input" for column in columns):
        return tuple(columns)
    for number, column in enumerate(columns):
        if column.role == "excluded" and column.profile.type != "timestamp":
            columns[number] = Place(column.profile, "input", column.why)
            return tuple(columns)
    raise MillraceError(
        "Nothing is left to predict the label from",
        place=place,
        found=", ".join(f"{column.profile.header or 'a column without a name'}: {column.role}" for column in columns),
        expected="at least one column besides key, time and label that is not personal and holds values",
        fix="name a file with more columns",
    )


def names_a_thing(profile: ColumnProfile) -> bool:
    """Whether a column's values are identifiers, from which nothing is learned about other things."""
    named = bool(_THING_WORDS & set(words_of(profile.header)))
    whole = profile.type in ("integer", "string") and profile.allowed is None
    return whole and profile.distinct > MOST_LEVELS and (named or (profile.type == "integer" and profile.unique))


def _key(profiles: Sequence[ColumnProfile], label: int) -> int | None:
    """The first column with another value in each row whose name says that it names a row."""
    for number, profile in enumerate(profiles):
        # A column without a name cannot be asked for.
        named = bool(profile.header) and (bool(_KEY_WORDS & set(words_of(profile.header))) or _is_code(profile))
        if number != label and profile.unique and named and profile.type in ("integer", "string"):
            return number
    return None


def _is_code(profile: ColumnProfile) -> bool:
    # C0000001: all of one shape, as keys are, and texts are not.
    return profile.type == "string" and profile.pattern is not None and "[0-9]" in profile.pattern


def _time(profiles: Sequence[ColumnProfile], label: int) -> int | None:
    """The time whose name says best that the row was true then; one that lacks values or is personal is none."""
    found = []
    for number, profile in enumerate(profiles):
        usable = profile.type == "timestamp" and not profile.missing and not profile.personal and profile.header
        if number != label and usable:
            words = words_of(profile.header)
            found.append((min([_TIME_WORDS.index(w) for w in words if w in _TIME_WORDS], default=99), number))
    return min(found)[1] if found else None
