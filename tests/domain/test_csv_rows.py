"""Reading CSV strictly: what is taken, what is malformed, what sets the whole file aside."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.contract.source import Column, Source
from millrace.domain.csv_rows import open_csv
from millrace.domain.raw_rows import RawRow, UnusableFileError

KEY, TEXT = Column(type="string"), Column(type="string", nullable=True)
SOURCE = Source(primary_key=("id",), assigned_time="file_modified", columns={"id": KEY, "a": TEXT, "b": TEXT})
KEYLESS = Source(
    primary_key=("id",), assigned_key="row_content", assigned_time="file_modified", columns={"id": KEY, "a": TEXT}
)


def rows(content: bytes | str, source: Source = SOURCE) -> list[RawRow]:
    content = content.encode() if isinstance(content, str) else content
    return list(open_csv([content], source).rows)


def why_unusable(content: bytes | str, source: Source = SOURCE) -> str:
    with pytest.raises(UnusableFileError) as raised:
        rows(content, source)
    return str(raised.value)


def test_values_stay_the_text_they_are() -> None:
    assert rows('id,a,b\n1, x ,"y, ""z"""\n2,,NA\n') == [
        RawRow(1, ("1", " x ", 'y, "z"')),
        RawRow(2, ("2", "", "NA")),
    ]


def test_columns_may_come_in_any_order_and_more_than_declared() -> None:
    opened = open_csv([b"note,b,id,a\nn,1,2,3\n"], SOURCE)
    assert opened.header == ("note", "b", "id", "a")
    assert [row.values for row in opened.rows] == [("n", "1", "2", "3")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_byte_order_mark_are_no_content(end: str) -> None:
    content = "\ufeff" + end.join(["id,a,b", "1,2,3", "", "4,5,6"])
    assert [row.values for row in rows(content)] == [("1", "2", "3"), ("4", "5", "6")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("of_source", ["utf-8", "latin-1", "cp1252"])
def test_a_byte_order_mark_decides_the_encoding(encoding: str, of_source: str) -> None:
    source = SOURCE.model_copy(update={"encoding": of_source})
    assert rows("id,a,b\n1,größer,€\n".encode(encoding), source)[0].values == ("1", "größer", "€")


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (b"PAR1\x15\x04", "it is a Parquet file, and the source's format is csv"),
        (b"PK\x03\x04", "it is a ZIP archive or an Excel workbook: land the tables in it as CSV"),
        (b"\xfd7zXZ\x00", "it is packed by xz: land it unpacked, or as gzip or Zstandard"),
    ],
)
def test_a_file_that_is_no_text_is_named(start: bytes, told: str) -> None:
    assert why_unusable(start + bytes(100)) == told


def test_characters_that_are_no_line_ends_stay_in_their_row() -> None:
    assert rows("id,a,b\n1,\u2028\x0b\x85,3\n")[0].values == ("1", "\u2028\x0b\x85", "3")


def test_a_row_of_another_width_is_malformed_and_the_others_stay() -> None:
    found = rows("id,a,b\n1,2\n1,2,3\n1,2,3,4\n")
    assert [row.malformed for row in found] == ["expected 3 fields, found 2", None, "expected 3 fields, found 4"]
    assert [(row.number, row.raw) for row in found] == [(1, "1,2"), (2, None), (3, "1,2,3,4")]
    assert [row.values is None for row in found] == [True, False, True]


def test_a_nul_character_makes_a_row_malformed() -> None:
    (row,) = rows("id,a,b\n1,\0,3\n")
    assert row.values is None
    assert "NUL" in str(row.malformed)


def test_a_whole_last_row_needs_no_line_end() -> None:
    assert rows("id,a,b\n1,2,3")[0].values == ("1", "2", "3")


def test_a_file_cut_in_its_last_row_is_unusable() -> None:
    assert "ends in the middle of data row 2: expected 3 fields, found 2" in why_unusable("id,a,b\n1,2,3\n4,5")


def test_an_open_quote_is_unusable_and_says_where() -> None:
    told = why_unusable('id,a,b\n1,2,3\n4,"5,6\n7,8,9\n')
    assert "data row 2" in told
    assert "quote" in told


def test_where_a_column_is_sensitive_no_text_of_the_file_is_told() -> None:
    secret = Column(type="string", nullable=True, sensitive=True)
    source = SOURCE.model_copy(update={"columns": {**SOURCE.columns, "b": secret}})
    assert "Meier" in why_unusable('id,a,b\nMeier,"2')
    told = why_unusable('id,a,b\nMeier,"2', source)
    assert "data row 1" in told
    assert "Meier" not in told
    assert "Meier" not in why_unusable("Meier,Meier,3\n", source)


def test_a_quote_that_swallows_rows_up_to_the_next_quote_is_unusable() -> None:
    assert "data row 1" in why_unusable('id,a,b\n1,"2,3\n4,"5",6\n')


def test_bytes_that_are_not_utf8_name_their_place() -> None:
    assert "byte 9 (0xE4)" in why_unusable(b"id,a,b\n1,\xe4,3\n")


def test_bytes_cut_off_within_a_character_name_their_place() -> None:
    assert "byte 9 (0xC3)" in why_unusable(b"id,a,b\n1,\xc3")


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n\n"])
def test_a_file_without_a_header_is_empty(content: bytes) -> None:
    assert why_unusable(content) == "the file is empty"


def test_a_file_of_a_header_has_no_rows() -> None:
    assert rows("id,a,b\n") == []


def test_a_missing_column_is_named_with_the_one_that_was_meant() -> None:
    assert why_unusable("id, A,c\n1,2,3\n") == 'the header lacks a (is it " A"?), b'


def test_a_column_named_twice_is_unusable() -> None:
    assert why_unusable("id,a,b,a\n1,2,3,4\n") == "the header names a more than once"


def test_a_column_that_the_file_calls_otherwise_is_renamed_once() -> None:
    columns = {"id": KEY, "score": Column(type="string", header="Credit Score"), "label_": Column(type="string")}
    source = SOURCE.model_copy(update={"columns": columns})
    opened = open_csv(["Credit Score,label_,id,score,größe\n1,2,3,4,5\n".encode()], source)
    assert opened.header == ("score", "label_", "id", '"score"', "größe")
    assert why_unusable("id,credit score,label_\n", source) == 'the header lacks Credit Score (is it "credit score"?)'
    assert why_unusable("id,score,score,label_,Credit Score\n", source) == "the header names score more than once"


def test_blanks_around_names_and_before_quotes_are_no_content_where_the_source_says_so() -> None:
    content = b'id, a, b \n1, "x, y", Private \n'
    opened = open_csv([content], SOURCE.model_copy(update={"trim": True}))
    assert opened.header == ("id", "a", "b")
    assert [row.values for row in opened.rows] == [("1", "x, y", "Private ")]
    assert "the header lacks a" in why_unusable(content)


def test_bytes_are_read_in_the_encoding_of_the_source() -> None:
    def told(encoding: str) -> RawRow:
        (row,) = rows(b"id,a,b\n1,gr\xf6\xdfer,\x80\n", SOURCE.model_copy(update={"encoding": encoding}))
        return row

    assert told("cp1252").values == ("1", "größer", "€")
    assert told("latin-1").values == ("1", "größer", "\x80")
    undefined = SOURCE.model_copy(update={"encoding": "cp1252"})
    assert "byte 9 (0x81) is not CP1252" in why_unusable(b"id,a,b\n1,\x81,3\n", undefined)


def test_what_millrace_assigns_may_be_lacking() -> None:
    assert rows("a\nx\n", KEYLESS)[0].values == ("x",)


def test_a_line_without_end_is_not_read_into_memory() -> None:
    endless = (b"x" * (1 << 20) for _ in range(1 << 20))
    with pytest.raises(UnusableFileError, match="longer than"):
        open_csv(endless, SOURCE)


def test_where_files_have_no_header_the_contract_names_their_columns() -> None:
    source = SOURCE.model_copy(update={"has_header": False})
    opened = open_csv([b"1,x,y\n2,z\n"], source)
    assert opened.header == ("id", "a", "b")
    assert [(row.number, row.values) for row in opened.rows] == [(1, ("1", "x", "y")), (2, None)]
    told = "its first row has 2 fields, and a file without a header has 3"
    assert why_unusable("1,x\n2,y,z\n", source) == told
    assert "its first row names the columns" in why_unusable("ID,a, b\n1,x,y\n", source)


def test_where_files_have_no_header_what_millrace_assigns_may_be_lacking() -> None:
    source = KEYLESS.model_copy(update={"has_header": False})
    assert open_csv([b"x\n"], source).header == ("a",)
    assert open_csv([b"1,x\n"], source).header == ("id", "a")
    assert "has 1 or 2" in why_unusable("1,x,y\n", source)


def test_a_file_without_a_header_where_one_is_expected_is_told_the_way_out() -> None:
    assert why_unusable("1,x,y\n").endswith("or has the file no header line? Then say has_header: false")


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=8), st.integers(1, 7), st.booleans())
def test_what_a_csv_writer_writes_is_read_back_however_the_bytes_are_cut(
    table: list[tuple[str, str, str]], size: int, crlf: bool
) -> None:
    written = io.StringIO()
    # Python's writer leaves a bare \r unquoted where lines end in \n alone.
    ends = {"lineterminator": "\r\n"} if crlf else {"lineterminator": "\n", "quoting": csv.QUOTE_ALL}
    writer = csv.writer(written, **ends)
    writer.writerow(("id", "a", "b"))
    writer.writerows(table)
    content = written.getvalue().encode()
    chunks = [content[at : at + size] for at in range(0, len(content), size)]
    assert [row.values for row in open_csv(chunks, SOURCE).rows] == table


@given(st.binary(max_size=200), st.integers(1, 5))
def test_any_bytes_give_rows_or_a_reason_and_the_same_however_they_are_cut(content: bytes, size: int) -> None:
    def read(chunks: list[bytes]) -> list[RawRow] | str:
        try:
            return list(open_csv([b"id,a,b\n", *chunks], SOURCE).rows)
        except UnusableFileError as error:
            return str(error)

    assert read([content]) == read([content[at : at + size] for at in range(0, len(content), size)])


def test_a_file_may_lack_an_optional_column_and_no_other() -> None:
    optional = Column(type="string", nullable=True, optional=True)
    source = SOURCE.model_copy(update={"columns": {**SOURCE.columns, "name": optional}})
    assert open_csv([b"id,a,b\n1,2,3\n"], source).header == ("id", "a", "b")
    assert open_csv([b"name,id,a,b\nAnna,1,2,3\n"], source).header == ("name", "id", "a", "b")
    assert why_unusable("name,id,a\n", source) == "the header lacks b"
