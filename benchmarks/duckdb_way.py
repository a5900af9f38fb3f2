"""DuckDB doing the work of ingest_files and transform in one process, for scale: no branches, no checks between."""

import time
from pathlib import Path

import duckdb

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
from millrace.contract.problem import Label, Problem

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
    nulls = ", ".join(f"'{value}'" for value in source.null_values)
    raw = ", ".join(f'CASE WHEN "{c}" IN ({nulls}) THEN NULL ELSE "{c}" END AS "raw_{c}"' for c in columns)
    typed = ", ".join(f'TRY_CAST("raw_{c}" AS {TYPES[column.type]}) AS "{c}"' for c, column in columns.items())
    broken = " OR ".join(f"({_broken(each)})" for each in source_constraints(source) if _columns(each) <= set(columns))
    key = ", ".join(f'"{c}"' for c in (source.primary_key if set(source.primary_key) <= there else columns))
    db.execute(
        f"CREATE TABLE judged AS WITH r AS (SELECT {raw} FROM bronze), t AS (SELECT *, {typed} FROM r) "
        f"SELECT *, coalesce({broken}, false) AS broken, md5(concat_ws(chr(31), {key})) AS row_key FROM t"
    )
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
