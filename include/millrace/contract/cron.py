"""When something starts by itself: a cron expression that Airflow's timetable takes, refused here and not there.

One that Airflow refuses would stop the DAGs of every problem that are made by the same file.
"""

import re
from typing import Annotated

from pydantic import AfterValidator

PRESETS = ("@hourly", "@daily", "@weekly", "@monthly")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
"""Name, smallest and greatest value, and words for values from the smallest on; see crontab(5)."""
_PART = re.compile(r"(?:\*|(?P<first>[0-9a-z]+)(?:-(?P<last>[0-9a-z]+))?)(?:/(?P<step>[0-9]{1,3}))?")


def checked(text: str) -> str:
    """The same expression.

    Raises:
        ValueError: If it is none of five fields, or a field is out of range.
    """
    if text in PRESETS:
        return text
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"{text!r} is no schedule: {', '.join(PRESETS)}, or five fields (minute, hour, day of the month, month, day"
            " of the week), such as 30 6 * * mon-fri"
        )
    for field, (name, least, most, words) in zip(fields, _FIELDS, strict=True):
        for part in field.lower().split(","):
            if not _is_part(part, least, most, words):
                named = f" or {words[0]} to {words[-1]}" if words else ""
                raise ValueError(f"{part!r} is no {name} of a schedule: {least} to {most}{named}, *, a-b or */n")
    return text


def _is_part(part: str, least: int, most: int, words: tuple[str, ...]) -> bool:
    found = _PART.fullmatch(part)
    if found is None or (found["step"] is not None and not 1 <= int(found["step"]) <= most):
        return False
    said = [found[name] for name in ("first", "last") if found[name] is not None]
    values = [_value(one, least, words) for one in said]
    # From a single value on, Airflow's parser knows no step.
    bare = len(said) == 1 and found["step"] is not None
    in_range = all(value is not None and least <= value <= most for value in values)
    return in_range and not bare and values == sorted(value for value in values if value is not None)


def _value(text: str, least: int, words: tuple[str, ...]) -> int | None:
    if text.isdigit():
        return int(text)
    return words.index(text) + least if text in words else None


Cron = Annotated[str, AfterValidator(checked)]
