"""DuckDB doing the work of our stages in one process, for scale: no branches, no checks between, no history."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import duckdb

from millrace.contract.aggregations import Aggregation, EventLabel, Where
from millrace.contract.constraints import (
    RAW_PATTERNS,
    Constraint,
    CrossColumn,
    HasType,
    InRange,
    InSet,
    MatchesPattern,
    Required,
    source_constraints,
)
from millrace.contract.label import Label
from millrace.contract.problem import Problem
from millrace.contract.source import Source

TYPES = {"string": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "timestamp": "TIMESTAMPTZ"}


def run(problem: Problem, file: Path, folder: Path) -> tuple[float, int, int]:
    """CSV → Parquet files of bronze, quarantine, silver and gold.

    Returns:
        Seconds, rows of gold, rows of quarantine.
    """
    began = time.perf_counter()
    db = duckdb.connect()
    source = problem.source
    db.execute("CREATE TABLE bronze AS SELECT * FROM read_csv(?, all_varchar = true, header = true)", [str(file)])
    there = {row[0] for row in db.execute("DESCRIBE bronze").fetchall()}
    columns = {name: column for name, column in source.columns.items() if name in there}
    key = ", ".join(f'"{c}"' for c in (source.primary_key if set(source.primary_key) <= there else columns))
    judged = _judged(source, columns, "bronze", lambda name: f'"{name}"')
    db.execute(f"CREATE TABLE judged AS SELECT *, md5(concat_ws(chr(31), {key})) AS row_key FROM ({judged})")
    db.execute("CREATE TABLE quarantine AS SELECT * FROM judged WHERE broken")
    kept = ", ".join(f'"{name}"' for name in columns)
    db.execute(
        f"CREATE TABLE silver AS SELECT row_key, {kept} FROM judged WHERE NOT broken "
        "QUALIFY row_number() OVER (PARTITION BY row_key) = 1"
    )
    assert isinstance(problem.label, Label), "what later events tell is more than this does"
    label = f'("{problem.label.column}" = {problem.label.positive!r})::INT AS label'
    inputs = ", ".join(f'"{name}"' for name in problem.gold_columns() if name in there)
    db.execute(f"CREATE TABLE gold AS SELECT row_key, {inputs}, {label} FROM silver")
    for table in ("bronze", "quarantine", "silver", "gold"):
        db.execute(f"COPY {table} TO '{folder / table}.parquet'")
    counts = [int(db.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]) for table in ("gold", "quarantine")]
    return time.perf_counter() - began, counts[0], counts[1]


def refine(problem: Problem, bronze: str, silver: str, folder: Path) -> tuple[int, int]:
    """Bronze and silver as Parquet → quarantine and the silver after it. Of a key the first new row stays.

    Returns:
        Rows of silver, rows of quarantine.
    """
    source, db = problem.source, duckdb.connect(folder / "duckdb")
    order = ("last_modified", "path", "row_number")
    judged = _judged(source, source.columns, f"read_parquet('{bronze}')", lambda name: f"fields['{name}']", order)
    db.execute(f"CREATE TABLE judged AS {judged}")
    db.execute(f"COPY (SELECT * FROM judged WHERE broken) TO '{folder}/quarantine.parquet'")
    key, kept = ", ".join(source.primary_key), ", ".join(f'"{name}"' for name in source.columns)
    db.execute(
        f"CREATE TABLE new AS SELECT {kept} FROM judged WHERE NOT broken"
        f" QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {', '.join(order)}) = 1"
    )
    old = f"SELECT {kept} FROM read_parquet('{silver}') ANTI JOIN new USING ({key})"
    db.execute(f"COPY (SELECT {kept} FROM new UNION ALL {old}) TO '{folder}/silver.parquet'")
    return _rows(db, f"{folder}/silver.parquet"), _rows(db, f"{folder}/quarantine.parquet")


def build_gold(problem: Problem, silver: str, folder: Path) -> int:
    """Silver as Parquet → gold of a problem that looks at one row at a time; its rows."""
    assert isinstance(problem.label, Label)
    db = duckdb.connect()
    inputs = ", ".join(f'"{name}"' for name in (*problem.source.primary_key, *problem.gold_columns()))
    label = f'("{problem.label.column}" = {problem.label.positive!r})::INT AS label'
    db.execute(f"COPY (SELECT {inputs}, {label} FROM read_parquet('{silver}')) TO '{folder}/gold.parquet'")
    return _rows(db, f"{folder}/gold.parquet")


def aggregate(problem: Problem, silver: str, folder: Path) -> tuple[int, dict[str, float]]:
    """Silver of events as Parquet → gold, by window functions.

    Returns:
        Rows of gold; and the sum of each column that other rows tell, to compare with.
    """
    assert isinstance(problem.label, EventLabel)
    assert problem.rows
    db = duckdb.connect(folder / "duckdb")
    told = [f'{_told(one)} AS "{one.name}"' for one in problem.aggregations]
    plain = [f'"{name}"' for name in problem.gold_columns() if name in problem.source.columns]
    within = f"INTERVAL {problem.label.within_seconds} SECOND"
    ahead = f"RANGE BETWEEN INTERVAL 1 MICROSECOND FOLLOWING AND {within} FOLLOWING"
    later = f"count(*) FILTER ({_holds(problem.label.event)}) OVER ({_by(problem.label.same)} {ahead})"
    over = f"event_timestamp < max(event_timestamp) OVER () - {within}"
    label = f"CASE WHEN {over} AND {_there(problem.label.same)} THEN ({later} > 0)::INT END AS label"
    db.execute(
        f"COPY (SELECT * FROM (SELECT row_key, event_timestamp, {', '.join([*plain, *told, label])}"
        f" FROM read_parquet('{silver}')) WHERE {_holds(problem.rows)}) TO '{folder}/gold.parquet'"
    )
    names = [*(one.name for one in problem.aggregations), "label"]
    sums = ", ".join(f'sum("{name}")' for name in names)
    found = db.execute(f"SELECT {sums} FROM read_parquet('{folder}/gold.parquet')").fetchall()[0]
    return _rows(db, f"{folder}/gold.parquet"), {n: float(v) for n, v in zip(names, found, strict=True)}


def _told(one: Aggregation) -> str:
    far = "UNBOUNDED" if one.window_seconds is None else f"INTERVAL {one.window_seconds} SECOND"
    over = f"OVER ({_by(one.key)} RANGE BETWEEN {far} PRECEDING AND INTERVAL 1 MICROSECOND PRECEDING)"
    where = f"FILTER ({_holds(one.where)})" if one.where else ""
    value = {
        "count": f"count(*) {where} {over}",
        "distinct": f'count(DISTINCT "{one.column}") {where} {over}',
        "sum": f'coalesce(sum("{one.column}") {where} {over}, 0)',
        "mean": f'avg("{one.column}") {where} {over}',
        "seconds_since_last": f"epoch(event_timestamp) - epoch(max(event_timestamp) {where} {over})",
    }[one.function]
    return f"CASE WHEN {_there(one.key)} THEN {value} END"


def _by(key: Iterable[str]) -> str:
    return f"PARTITION BY {', '.join(key)} ORDER BY event_timestamp"


def _there(key: Iterable[str]) -> str:
    return " AND ".join(f'"{name}" IS NOT NULL' for name in key)


def _holds(where: Where) -> str:
    return f'"{where.column}" IN ({", ".join(repr(value) for value in where.any_of)})'


def _rows(db: duckdb.DuckDBPyConnection, file: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM read_parquet('{file}')").fetchall()[0][0])


def _judged(
    source: Source, columns: Iterable[str], table: str, text: Callable[[str], str], kept: Sequence[str] = ()
) -> str:
    """A query of the table: what is kept of it, each column's text and value, and `broken`, whether a constraint is.

    Args:
        text: The expression that tells the text of a column.
    """
    columns = list(columns)
    nulls = ", ".join(f"'{value}'" for value in source.null_values)
    raw = [f'CASE WHEN {text(c)} IN ({nulls}) THEN NULL ELSE {text(c)} END AS "raw_{c}"' for c in columns]
    typed = ", ".join(f'TRY_CAST("raw_{c}" AS {TYPES[source.columns[c].type]}) AS "{c}"' for c in columns)
    broken = " OR ".join(f"({_broken(each)})" for each in source_constraints(source) if _columns(each) <= set(columns))
    return (
        f"WITH r AS (SELECT {', '.join([*kept, *raw])} FROM {table}), t AS (SELECT *, {typed} FROM r)"
        f" SELECT *, coalesce({broken}, false) AS broken FROM t"
    )


def _columns(constraint: Constraint) -> set[str]:
    if isinstance(constraint, CrossColumn):
        return {constraint.rule.left, constraint.rule.right}
    return {constraint.column}


def _broken(constraint: Constraint) -> str:
    """SQL that is true where the constraint is broken."""
    match constraint:
        case CrossColumn(rule):
            return f'NOT ("{rule.left}" {rule.operator} "{rule.right}")'
        case HasType(column, kind):
            pattern = RAW_PATTERNS.get(kind, "").replace("(?!0000)", "")
            return f"""NOT regexp_full_match("raw_{column}", '{pattern}')""" if pattern else "false"
        case Required(column):
            return f'"raw_{column}" IS NULL'
        case InRange(column, low, high):
            ends = [
                f'"{column}" < {low}' if low is not None else "",
                f'"{column}" > {high}' if high is not None else "",
            ]
            return " OR ".join(end for end in ends if end)
        case InSet(column, allowed):
            return f'"{column}" NOT IN ({", ".join(repr(value) for value in allowed)})'
        case MatchesPattern(column, pattern):
            return f"""NOT regexp_full_match("raw_{column}", '{pattern}')"""
