"""What a file holds, as one page for a browser: no script, nothing fetched, no value of a personal column."""

from html import escape

from millrace.domain.profiling.charts import histogram, levels
from millrace.domain.profiling.decisions import Decision, decisions
from millrace.domain.profiling.style import STYLE
from millrace.domain.profiling.table import LEAK_AUC, Place, TableProfile, names_a_thing
from millrace.domain.profiling.words import many, number, plain, share

_STRONGEST = 20
_ENCODINGS = {"utf-8": "UTF-8", "utf-16": "UTF-16", "cp1252": "Windows-1252", "latin-1": "Latin-1"}
_SIGNS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def page(table: TableProfile, *, title: str, file: str, total_rows: int) -> str:
    """The HTML of the page.

    Args:
        table: The profile.
        title: Of the problem.
        file: Name of the file that was looked at.
        total_rows: Rows of the file, where not all of them were looked at.
    """
    found = decisions(table)
    body = [
        f"<h1>{escape(title)}: what the file holds</h1>",
        f'<p class="soft">{escape(file)} · {_size(table, total_rows)} · {_written(table)}</p>',
        _label(table),
        _to_decide(found),
        _ranking(table),
        "<h2>Column by column</h2>",
        f'<div class="cards">{"".join(_card(place, found) for place in table.columns)}</div>',
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · profile</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _size(table: TableProfile, total_rows: int) -> str:
    rows = many(total_rows, "row")
    if table.rows < total_rows:
        rows = f"{table.rows:,} of {rows}, evenly spread, were looked at"
    return f"{rows} · {many(len(table.columns), 'column')}"


def _written(table: TableProfile) -> str:
    dialect = table.dialect
    if dialect.format == "parquet":
        return "Parquet"
    comma = ", decimal comma" if dialect.decimal == "," else ""
    blanks = ", blanks around values" if dialect.trim else ""
    return f"{_ENCODINGS[dialect.encoding]}, parted by {_SIGNS[dialect.delimiter]}{comma}{blanks}"


def _label(table: TableProfile) -> str:
    label = table.label
    yes = escape(f"{label.header} is {'yes' if label.positive is True else plain(label.positive)}")
    unknown = f" · {many(label.unknown_rows, 'row')} without a label" if label.unknown_rows else ""
    return (
        f'<div class="split"><div style="width:{100 * label.prevalence:.2f}%"></div></div>'
        f'<p class="key soft"><i style="background:var(--accent)"></i>{yes}: {label.positive_rows:,}'
        f" ({share(label.positive_rows, label.known_rows)})"
        f'<i style="background:var(--other)"></i>otherwise: {label.known_rows - label.positive_rows:,}{unknown}</p>'
    )


def _to_decide(found: list[Decision]) -> str:
    lines = "".join(f"<li>{_link(one.column) + ': ' if one.column else ''}{escape(one.words)}</li>" for one in found)
    return f"<h2>To decide</h2><ol>{lines}</ol>" if found else ""


def _ranking(table: TableProfile) -> str:
    # A column that names the row tells nothing about another row, however well it sorts these.
    told = [place for place in table.columns if place.role in ("input", "excluded") and place.profile.distinct]
    told.sort(key=lambda place: -place.profile.auc)
    rows = "".join(
        f'<tr><td>{_link(place.profile.name)}</td><td class="wide"><div class="bar{_leaky(place)}"'
        f' style="width:{100 * max(0.0, 2 * place.profile.auc - 1):.1f}%"></div></td>'
        f"<td>{place.profile.auc:.3f}</td></tr>"
        for place in told[:_STRONGEST]
    )
    more = f"<p class='soft'>The strongest {_STRONGEST} of {len(told)}.</p>" if len(told) > _STRONGEST else ""
    words = (
        "How well each column sorts the rows by label, alone: AUC, .5 is chance. Near 1 a leak is likelier than skill."
    )
    return f"<h2>What one column alone tells</h2><p class='soft'>{words}</p><table>{rows}</table>{more}"


def _leaky(place: Place) -> str:
    return " leak" if place.profile.auc >= LEAK_AUC else ""


def _card(place: Place, found: list[Decision]) -> str:
    column = place.profile
    notes = "".join(f'<div class="note">{escape(one.words)}</div>' for one in found if one.column == column.name)
    called = f' <span class="soft">({escape(plain(column.header))})</span>' if column.header != column.name else ""
    return (
        f'<div class="card" id="{column.name}"><span class="chip {place.role}">{place.role}</span>'
        f"<h3>{column.name}{called}</h3><div class='facts'>{escape(_facts(place))}</div>{_picture(place)}{notes}</div>"
    )


def _facts(place: Place) -> str:
    column = place.profile
    told = [column.type, f"{column.distinct:,} different"]
    told.append(f"{share(column.missing, column.rows)} missing" if column.missing else "none missing")
    if column.seen and column.allowed is None:
        told.append(f"{number(column.seen[0])} … {number(column.seen[2])}, median {number(column.seen[1])}")
    return " · ".join(told)


def _picture(place: Place) -> str:
    column = place.profile
    if place.role == "sensitive":
        return '<p class="soft">Nothing of its values is shown.</p>'
    if place.role == "key" or names_a_thing(column):
        return '<p class="soft">It names things, so its values are not shown.</p>'
    if not column.bars:
        return ""
    numeric = column.type in ("integer", "number") and column.allowed is None
    return histogram(column.bars) if numeric else levels(column.bars)


def _link(name: str) -> str:
    return f'<a href="#{name}">{name}</a>'
