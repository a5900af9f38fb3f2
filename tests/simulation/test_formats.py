"""A simulated file is of its source's format, and as the reader of that format wants it."""

import io

from millrace.contract.loading import load_problem
from millrace.contract.problem import Problem
from millrace.domain.csv_rows import open_csv
from millrace.domain.parquet_rows import open_parquet
from millrace.simulation.files import simulate_file
from tests.throwaway import SHIPPED


def loan(**more: object) -> Problem:
    shipped = load_problem(SHIPPED / "loan.yaml")
    columns = {name: column.model_copy(update={"header": None}) for name, column in shipped.source.columns.items()}
    source = shipped.source.model_copy(update={"columns": columns, **more})
    return shipped.model_copy(update={"sources": {shipped.source_name: source}})


def test_parquet() -> None:
    problem = loan(format="parquet")
    file = simulate_file(problem, rows=200, seed=1)
    opened = open_parquet(io.BytesIO(file.content), problem.source)
    assert opened.header == tuple(problem.source.columns)
    assert sum(row.values is not None for row in opened.rows) == 200
    assert sum(file.expected_by_reason.values()) >= file.quarantined_rows > 0


def test_csv_without_a_header() -> None:
    problem = loan(has_header=False)
    file = simulate_file(problem, rows=200, seed=1, broken_share=0)
    opened = open_csv([file.content], problem.source)
    assert opened.header == tuple(problem.source.columns)
    assert sum(row.values is not None for row in opened.rows) == 200
