"""Whatever a file holds: the draft passes lint, and what was seen passes the draft, but for the rows it tells of."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.contract.errors import MillraceError
from tests.domain.profiling.tables import Texts, broken_rows, drafted, loaded, profiled

ROWS = 25
NULLS = st.sampled_from(["", "NA", "nan", "-", "None", "unknown"])
KINDS = (
    st.integers(-(10**20), 10**20).map(str),
    st.integers(0, 40).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-5, 5).map("{:.2f}".format),
    st.integers(1, 99).map(lambda n: f"{n}.0"),
    st.datetimes().map(lambda moment: moment.isoformat(" ", "seconds")),
    st.dates().map(lambda day: f"{day.day}.{day.month}.{day.year:04d}"),
    st.booleans().map(str),
    st.sampled_from(["Yes", "no", "Y"]),
    st.sampled_from(["red", "light: blue", "#", "[x]", "null", "1e5", "0012", "é", "a, b", "don't"]),
    st.integers(0, 10**7).map("K{:07d}".format),
    st.integers(0, 10**6).map("a{}@b.org".format),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
)
HEADERS = st.one_of(
    st.sampled_from(
        ["id", "Age", "age", "name", "label", "event_timestamp", "xmin", "", "Größe (cm)", "row_key", "at"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
)
LABELS = st.sampled_from(
    [("0", "1"), ("yes", "no"), ("True", "False"), ("a", "b", "c"), ("1.0", "2.0"), ("NA", "1", "0")]
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[Texts, str]:
    headers = draw(st.lists(HEADERS, min_size=2, max_size=6, unique=True))
    columns = {}
    for header in headers:
        kind = draw(st.sampled_from(KINDS))
        some_missing = st.one_of(kind, NULLS) if draw(st.booleans()) else kind
        columns[header] = draw(st.lists(some_missing, min_size=ROWS, max_size=ROWS))
    label = next((header for header in headers if header.strip()), headers[0])
    columns[label] = draw(st.lists(st.sampled_from(draw(LABELS)), min_size=ROWS, max_size=ROWS))
    return columns, label


@given(tables())
@settings(deadline=None, max_examples=60)
def test_a_draft_passes_lint_and_what_was_seen_passes_the_draft(given_table: tuple[Texts, str]) -> None:
    columns, label = given_table
    try:
        table = profiled(columns, label)
    except MillraceError:  # a label that never differs, or nothing left to predict it from
        return
    with tempfile.TemporaryDirectory() as folder:
        problem = loaded(table, Path(folder))
    told = {place.profile.name: place.profile.unreadable for place in table.columns}
    told[problem.label.column] = table.label.unreadable
    for name, broken in broken_rows(problem, columns).items():
        assert broken == told[name], (name, drafted(table))
