"""A first problem file from a profile: what was seen, each guess marked, in a form that lint accepts as it is."""

import re
import textwrap
from collections.abc import Iterator, Sequence

from millrace.contract.constraints import TRUE_SPELLINGS
from millrace.contract.source import Scalar
from millrace.domain.profiling.column import ColumnProfile
from millrace.domain.profiling.decisions import FEW_POSITIVES, Decision, decisions
from millrace.domain.profiling.naming import words_of
from millrace.domain.profiling.table import Place, TableProfile, names_a_thing
from millrace.domain.profiling.words import bound, many, number, plain, scalar, share

WIDTH = 118
_RARE = 0.2
_UNITS = {
    "kg": "kg", "cm": "cm", "mm": "mm", "km": "km", "eur": "EUR", "usd": "USD", "gbp": "GBP", "percent": "percent",
    "pct": "percent", "days": "days", "years": "years", "months": "months", "weeks": "weeks", "hours": "hours",
    "minutes": "minutes", "seconds": "seconds", "ms": "ms", "celsius": "°C", "age": "years",
}  # fmt: skip


_IN_BRACKETS = re.compile(r"[(\[]([^()\[\]]{1,12})[)\]]\s*$")
"""Größe (cm), weight [kg]."""


def draft(table: TableProfile, *, problem: str, source: str, file: str, total_rows: int, schema: bool) -> str:
    """The text of the problem file.

    Args:
        problem: Name of the problem.
        source: Name of its source.
        file: Name of the file that was looked at, for the reader.
        total_rows: Rows of the file, where not all of them were looked at.
        schema: Whether the editors' schema lies beside the file.
    """
    looked_at = f"{table.rows:,}" if table.rows == total_rows else f"{table.rows:,} of {total_rows:,}"
    label, found = table.of("label")[0], decisions(table)
    yes = "yes" if table.label.positive is True else plain(table.label.positive)
    purpose = scalar(f"Whether {plain(label.header)} is {yes}.")
    prevalence = f"{share(table.label.positive_rows, table.label.known_rows)} of {many(table.label.known_rows, 'row')}"
    lines = [
        *(["# yaml-language-server: $schema=schema/problem.json"] if schema else []),
        f"# A first draft by `millrace new` from {plain(file)}: {looked_at} rows, {len(table.columns)} columns.",
        "# It tells what was seen, with slack. Each DECIDE marks a guess: look at it, then remove the mark.",
        "# docs/reference/problem.md explains every key.",
        f"problem: {problem}",
        f"title: {problem.replace('_', ' ').capitalize()[:60]}",
        "owner: nobody yet   # DECIDE: who answers for it",
        f"description: {purpose}   # DECIDE: one sentence on what is predicted, and when",
        "",
        "sources:",
        f"  {source}:",
        *_indented(4, _source(table, found)),
        "    columns:",
        "      # Without `nullable: true` a row that lacks the value is quarantined.",
        *_indented(6, _columns(table, found)),
        "",
        f"label: {{column: {scalar(label.name)}, positive: {scalar(table.label.positive)}}}   # {prevalence}",
        *_exclude(table),
        *_overrides(table),
        "",
        *_training(table),
        "",
        *_gate(table),
    ]
    return "\n".join(lines) + "\n"


def _source(table: TableProfile, found: Sequence[Decision]) -> Iterator[str]:
    yield from _decide(found, "")
    keys, times = table.of("key"), table.of("time")
    yield f"primary_key: [{scalar(keys[0].name)}]" if keys else "assigned_key: row_content"
    yield f"event_timestamp: {scalar(times[0].name)}" if times else "assigned_time: file_modified"
    dialect = table.dialect
    day = "the third of April" if dialect.dates == "day_first" else "the fourth of March"
    told = {
        f"format: {dialect.format}": dialect.format != "csv",
        f"encoding: {dialect.encoding}": dialect.encoding in ("cp1252", "latin-1"),
        f"delimiter: {scalar(dialect.delimiter)}": dialect.delimiter != ",",
        "trim: true   # blanks stand around values": dialect.trim,
        'decimal: ","': dialect.decimal == ",",
        f"dates: {dialect.dates}   # DECIDE: is 3/4/2026 {day}?": dialect.dates != "iso",
    }
    yield from (line for line, needed in told.items() if needed)


def _columns(table: TableProfile, found: Sequence[Decision]) -> Iterator[str]:
    for place in table.columns:
        if place.role == "ignored":
            continue
        yield from _decide(found, place.profile.name)
        yield from _column(place, table)


def _column(place: Place, table: TableProfile) -> Iterator[str]:
    column = place.profile
    keys = _keys(place, table)
    line = f"{scalar(column.name)}: {{{', '.join(f'{key}: {value}' for key, value in keys.items())}}}"
    facts = _facts(place)
    if len(line) > WIDTH - 6:
        yield from [f"# {facts}"] if facts else []
        yield f"{scalar(column.name)}:"
        for key, value in keys.items():
            wrapped = textwrap.wrap(f"{key}: {value}", WIDTH - 8, break_long_words=False, break_on_hyphens=False)
            # Within quotes a fold would change the text.
            yield from _indented(2, wrapped if key == "allowed" and '"' not in value else [f"{key}: {value}"])
    elif len(line) + len(facts) + 5 > WIDTH - 6:
        yield f"# {facts}"
        yield line
    else:
        yield f"{line}   # {facts}" if facts else line


def _keys(place: Place, table: TableProfile) -> dict[str, str]:
    column = place.profile
    keys: dict[str, str] = {"type": column.type if place.role != "label" else table.label.type}
    if column.header != column.name:
        keys["header"] = scalar(column.header)
    if place.role == "label":
        if table.label.type != "boolean":
            keys["allowed"] = _list(sorted((value for value, _ in table.label.classes), key=str))
        return {**keys, **_null_values(column), "nullable": "true"}
    if unit := _unit(column):
        keys["unit"] = scalar(unit)
    if column.allowed is not None:
        keys["allowed"] = _list(column.allowed)
    elif column.range and place.role != "key" and not names_a_thing(column):
        keys |= {"min": bound(column.range[0]), "max": bound(column.range[1])}
    if column.pattern and place.role == "key":
        keys["pattern"] = scalar(column.pattern)
    if column.missing:
        keys |= {"nullable": "true"} | _null_values(column)
    return keys | ({"sensitive": "true"} if place.role == "sensitive" else {})


def _null_values(column: ColumnProfile) -> dict[str, str]:
    return {"null_values": _list(column.null_values)} if column.null_values else {}


def _facts(place: Place) -> str:
    column = place.profile
    if place.role in ("key", "time"):
        return f"DECIDE: the {'key' if place.role == 'key' else 'time at which a row was true'}?"
    told = []
    if column.seen and column.allowed is None:
        told.append(f"{number(column.seen[0])} … {number(column.seen[2])}, median {number(column.seen[1])}")
    elif column.type in ("integer", "boolean") and column.bars:
        told.append(f"{share(column.bars[-1].rows, column.rows)} say {plain(column.bars[-1].words)}")
    elif column.allowed is None:
        told.append(many(column.distinct, "different value"))
    if column.missing:
        told.append(f"{share(column.missing, column.rows)} missing")
    if column.seen and column.allowed is None and place.role == "input" and not _unit(column):
        told.append("unit?")
    return "; ".join(told)


def _unit(column: ColumnProfile) -> str | None:
    if column.type not in ("integer", "number") or column.allowed is not None:
        return None
    if in_brackets := _IN_BRACKETS.search(column.header):
        return in_brackets[1]
    words = words_of(column.header)
    return _UNITS.get(words[-1]) if words else None


def _exclude(table: TableProfile) -> Iterator[str]:
    if excluded := table.of("excluded"):
        yield ""
        yield "# In gold, but not learned from; why stands above each column."
        yield from textwrap.wrap(
            f"exclude: [{', '.join(scalar(column.name) for column in excluded)}]", WIDTH, subsequent_indent="  "
        )


def _overrides(table: TableProfile) -> Iterator[str]:
    rules = [(column, level) for column in table.of("input") for level in column.sure]
    for column, level in rules[:1]:
        value = scalar(level.value) if column.type == "string" else level.value
        value = str(value.lower() in TRUE_SPELLINGS).lower() if column.type == "boolean" else value
        yield ""
        yield "# DECIDE: a rule, and no pattern? Then it decides before the model:"
        yield "# overrides:"
        yield f"#   - name: {'always' if level.positive else 'never'}_by_rule"
        yield f"#     column: {scalar(column.name)}"
        yield f"#     equals: {value}"
        yield f"#     probability: {float(level.positive)}"
        yield "#     reason: Say here why this is a rule."


def _training(table: TableProfile) -> Iterator[str]:
    yield "training:"
    yield "  trials: 16"
    if table.label.positive_rows < FEW_POSITIVES and table.label.known_rows >= 500:
        yield f"  # {many(table.label.positive_rows, 'positive row')}: a larger share judges, or the verdict is luck."
        yield "  split: {holdout_share: 0.3}"
    elif table.groups:
        yield f"  # split: {{by: group, group: {scalar(table.groups[0].name)}}}"
    elif table.of("time"):
        yield "  # split: {by: time}   # DECIDE: judge by the newest rows, where the world changes?"


def _gate(table: TableProfile) -> Iterator[str]:
    prevalence = table.label.prevalence
    yield "gate:"
    yield "  min_auc: 0.6          # DECIDE: below this, no model is better than a bad one"
    if prevalence < _RARE:
        floor = number(float(f"{1.5 * prevalence:.2g}"))
        yield f"  min_average_precision: {floor}   # positives are rare: whoever always says no is mostly right"
    yield "  suspicious_auc: 0.99  # DECIDE: above this a leak is likelier than skill"
    if prevalence < _RARE:
        usual = float(f"{2 * prevalence:.2g}")
        yield ""
        yield "serving:"
        yield f"  threshold: {bound(usual)}   # DECIDE: twice the usual; from here on a prediction is told as positive"


def _decide(found: Sequence[Decision], column: str) -> Iterator[str]:
    for decision in found:
        if decision.column == column:
            yield from textwrap.wrap(
                f"DECIDE: {decision.words}", 104, initial_indent="# ", subsequent_indent="#   ", break_on_hyphens=False
            )


def _list(values: Sequence[Scalar]) -> str:
    return f"[{', '.join(map(scalar, values))}]"


def _indented(by: int, lines: Sequence[str] | Iterator[str]) -> Iterator[str]:
    return (f"{' ' * by}{line}" for line in lines)
