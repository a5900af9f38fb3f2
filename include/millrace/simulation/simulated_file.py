"""What a simulated file is: its bytes, and what must become of them."""

import csv
import io
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from millrace.contract.problem import Problem


@dataclass(frozen=True)
class SimulatedFile:
    """A file of the source's format and what must become of it.

    Attributes:
        content: The file.
        rows: Data rows of the file; `valid_rows` and `quarantined_rows` are its parts.
        superseded_rows: Valid rows that repeat the key of an earlier one; they are superseded, not quarantined.
        expected_by_reason: Reason code → rows that must be quarantined for it; a row may count under two codes.
        truth_auc: AUC of the true probabilities on the labels of valid rows that no override decides: no model of these
            inputs does better, but for luck.
    """

    content: bytes
    rows: int
    valid_rows: int
    quarantined_rows: int
    superseded_rows: int
    expected_by_reason: dict[str, int]
    truth_auc: float


def as_file(problem: Problem, lines: list[list[str]]) -> bytes:
    """Lines of texts, in the order of the source's columns, as a file of the source's format."""
    return _parquet(problem, lines) if problem.source.format == "parquet" else _csv(problem, lines)


def _csv(problem: Problem, lines: list[list[str]]) -> bytes:
    written = io.StringIO()
    writer = csv.writer(written, delimiter=problem.source.delimiter, lineterminator="\n")
    if problem.source.has_header:
        writer.writerow(map(problem.source.header_of, problem.source.columns))
    writer.writerows(lines)
    return written.getvalue().encode(problem.source.encoding)


def _parquet(problem: Problem, lines: list[list[str]]) -> bytes:
    """Columns of text, which can say what breaks a contract, too."""
    names = map(problem.source.header_of, problem.source.columns)
    columns = zip(*lines, strict=True)
    written = io.BytesIO()
    pq.write_table(pa.table({name: pa.array(said) for name, said in zip(names, columns, strict=True)}), written)
    return written.getvalue()
