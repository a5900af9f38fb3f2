"""What a person has to decide about a draft: each guess that changes what is learned, in words, with the way out."""

from collections.abc import Iterator
from dataclasses import dataclass

from millrace.domain.profiling.column import ColumnProfile
from millrace.domain.profiling.table import LEAK_AUC, SUSPICIOUS_AUC, TableProfile
from millrace.domain.profiling.words import many, number, plain, quoted

FEW_POSITIVES = 400
_ODD_ROWS, _ODD_AMONG = 2, 500


@dataclass(frozen=True)
class Decision:
    """A guess to look at. `column` is the name of the column it is about, empty for the whole file."""

    column: str
    words: str


def decisions(table: TableProfile) -> list[Decision]:
    """Everything to decide, what concerns the whole file first, then column by column."""
    found = [Decision("", words) for words in _about_rows(table)]
    found += [Decision(_label_name(table), words) for words in _about_label(table)]
    for place in table.columns:
        if place.role == "sensitive":
            words = f"{place.why}; sensitive: true keeps it out of gold, model, requests and logs. Is it personal?"
            found.append(Decision(place.profile.name, words))
        if place.role in ("input", "excluded"):
            found += [Decision(place.profile.name, words) for words in _about_column(place.profile)]
        if place.role == "excluded":
            found.append(Decision(place.profile.name, f"kept from the model: {place.why}"))
        elif place.role == "ignored":
            header = place.profile.header
            found.append(Decision("", f"{quoted(header) if header else 'a column'} is left out: {place.why}"))
    return found


def _about_rows(table: TableProfile) -> Iterator[str]:
    if not table.of("key"):
        yield (
            "no column names a row, so a row's content is its key: a row that comes back with another value is"
            " another row, and nothing can be corrected. Is there a key, perhaps of two columns?"
        )
    if not table.of("time"):
        yield "no column says when a row was true, so the time when its file lands counts"
    if table.repeated_rows:
        yield f"{many(table.repeated_rows, 'row')} say the same as one before in every column"
    for group in table.groups[:1]:
        each = (group.rows - group.missing) / max(group.distinct, 1)
        yield (
            f"{group.name} names {group.distinct:,} things, with {each:.1f} rows each: if the model is to judge new"
            f" ones, keep the rows of one together (training.split: {{by: group, group: {group.name}}})"
        )


def _label_name(table: TableProfile) -> str:
    return table.of("label")[0].name


def _about_label(table: TableProfile) -> Iterator[str]:
    label = table.label
    if len(label.classes) > 2:
        wanted = quoted(str(label.positive))
        yield f"it has {len(label.classes)} values, and one is learned against all others: is {wanted} it?"
    elif isinstance(label.positive, str) or label.positive not in (True, 1):
        yield f"does {plain(label.positive)} mean yes?"
    if label.unreadable:
        yield f"{many(label.unreadable, 'row')} are no {label.type} and would be quarantined"


def _about_column(column: ColumnProfile) -> Iterator[str]:
    if column.hidden_zero:
        rows, following = column.hidden_zero
        yield (
            f"{many(rows, 'row')} say 0, and the next smallest value is {number(following)}: does 0 mean that nothing"
            f" was measured? Then add: nullable: true, null_values: {_zeros(column)}, and raise min"
        )
    if column.sentinel:
        rows, value = column.sentinel
        yield (
            f"{many(rows, 'row')} say {number(value)}, far from all others: does it mean no value? Then add:"
            f' nullable: true, null_values: ["{number(value)}"], and narrow the range'
        )
    if column.suspects:
        told = ", ".join(quoted(word) for word in column.suspects)
        yield f"{told}: no value? Then take it from allowed, and add: nullable: true, null_values: [{told}]"
    for bar in column.bars if column.type == "string" and column.allowed else ():
        if bar.rows <= _ODD_ROWS < _ODD_AMONG <= column.rows:
            yield f"{quoted(bar.words)} stands in {many(bar.rows, 'row')} only: a kind of its own, or a mistake?"
    if column.unreadable:
        yield f"{many(column.unreadable, 'row')} hold no {column.type} and would be quarantined"
    for level in column.sure[:3]:
        answer = "always" if level.positive else "never"
        yield (
            f"where it says {quoted(level.value)} ({many(level.rows, 'row')}) the label is {answer} positive: a rule"
            " (see overrides), a leak, or a pattern?"
        )
    if SUSPICIOUS_AUC <= column.auc < LEAK_AUC and not column.sure:
        yield f"it alone sorts {column.auc:.1%} of all pairs by the label: is it known before the label is?"


def _zeros(column: ColumnProfile) -> str:
    return '["0"]' if column.type == "integer" else '["0", "0.0"]'
