"""A table of the source database → a Parquet file under the landing prefix, from which on it goes the way of files.

The file of an extract has its number in its name, and the store refuses a second one of that name. So whoever lands
first is the extract of this number, and an attempt that was given up and comes late changes nothing. It tells of itself
what it holds; the record in Postgres follows it, and is made up for by the next extract where somebody was killed.
"""

import logging
from typing import Any

import psycopg

from millrace.adapters import extracts, source_table
from millrace.adapters.new_object import ObjectExistsError, told_by
from millrace.contract import names
from millrace.contract.errors import LostRaceError, VerdictError
from millrace.contract.problem import Problem
from millrace.domain.extraction import (
    Extracted,
    before,
    begins_at,
    is_news,
    shape_of,
    text,
    went_back,
)
from millrace.domain.table_columns import TableColumn, lacking, retyped
from millrace.settings import get_settings
from millrace.steps.demand_way import demand_way
from millrace.steps.extracted_file import land, schema_of
from millrace.steps.phase import phase
from millrace.steps.table_verdicts import has_other_types, lacks_columns

log = logging.getLogger(__name__)
_RACES = 3


def extract_table(problem: Problem, *, run_id: str, full: bool = False) -> dict[str, Any]:
    """Land what is new in the table since the last extract; nothing, where nothing is.

    Args:
        full: Land every row, whatever was landed before.

    Returns:
        table, path (None if nothing was landed), rows, until (the watermark up to which rows are landed), said.

    Raises:
        VerdictError: If there is no such table, if our role may not read it, if it lacks a column of the contract or
            has it with a type that cannot be the contract's, if its watermark went back, or if changes told of the
            source before.
        MillraceError: If database, store or Postgres do not answer.
        LostRaceError: If other attempts land all the time.
    """
    demand_way(problem, "extract")
    for _ in range(_RACES):
        last, number = newest(problem)
        if last is not None and last.run_id == run_id:
            return _landed(problem, last)
        try:
            return _extract(problem, last, number, run_id=run_id, full=full)
        except ObjectExistsError as error:
            log.warning("Another attempt landed %s first", names.extracted_file(problem.problem, number))
            lost = error
        except psycopg.errors.InsufficientPrivilege as error:
            raise _forbidden(problem, str(error).strip().splitlines()[0]) from error
    raise LostRaceError(
        "Other attempts landed first, again and again",
        place=f"table {problem.extract_table}",
        found=str(lost),
        expected="one extract of a problem at a time",
        fix="none is needed: what they landed is as new",
    ) from lost


def newest(problem: Problem) -> tuple[Extracted | None, int]:
    """The last extract, and the number of the next. One that landed and was not recorded is recorded now."""
    last = extracts.newest(problem.problem)
    number = 1 if last is None else last.number + 1
    # An object that tells nothing, such as one that was put back from a backup, takes a number and is no level.
    while (told := told_by(get_settings().landing_bucket, _path(problem, number))) is not None:
        if told:
            last = Extracted(**told)
            log.info("%s landed, and was not recorded", last.path)
            extracts.record(problem.problem, last)
        number += 1
    return last, number


def _extract(problem: Problem, last: Extracted | None, number: int, *, run_id: str, full: bool) -> dict[str, Any]:
    table, extract = problem.extract_table, problem.source.extract
    assert table is not None
    assert extract is not None, "only a source with a section `extract` is extracted"
    with source_table.snapshot() as database:
        chosen = _demand_columns(problem, source_table.columns(database, table))
        reading = source_table.Reading(database, table, chosen, extract.watermark)
        look = reading.look()
        begin = begins_at(last, problem, full=full)
        if last is not None and went_back(begin, look):
            raise _went_back(problem, last, str(text(look.greatest)))
        rows, digest = reading.told(begin)
        if rows == 0:
            said = "the table is empty" if begin is None else f"no row since {last.until if last else None}"
            return _nothing(problem, last, said)
        if not full and not is_news(digest, last, problem):
            return _nothing(problem, last, f"nothing new among {rows:,} rows")
        # Where the next one begins, if no row changes. Without a level it begins as this one did.
        following = before(look.newest, problem)
        extracted = Extracted(
            number=number,
            path=_path(problem, number),
            rows=rows,
            is_full=begin is None,
            shape=shape_of(problem),
            until=text(look.newest),
            tail=digest if following == begin else reading.told(following)[1],
            read_at=look.read_at.isoformat(),
            run_id=run_id,
        )
        with phase(f"land {extracted.path}") as told:
            told |= {"rows": rows}
            headers = {name: problem.source.header_of(name) for name in chosen}
            land(reading, begin, schema_of(chosen, headers), extracted)
    extracts.record(problem.problem, extracted)
    return _landed(problem, extracted)


def _demand_columns(problem: Problem, table: dict[str, TableColumn] | None) -> dict[str, TableColumn]:
    """The columns to be read: those of the contract that the table has."""
    name, file = problem.extract_table, f"include/problems/{problem.problem}.yaml"
    place = f"table {name} of the source database"
    if table is None:
        raise VerdictError(
            f"The source database has no table {name}",
            place="the source database",
            found="neither a table nor a view of this name",
            expected="the table that the contract's section `extract` names",
            fix=f"correct `table` under `extract` in {file}; `make status` shows whether *Connectors* could make it",
        )
    source = problem.source
    if missing := lacking(source, table):
        raise lacks_columns(
            problem,
            missing,
            place=place,
            found=f"the columns {', '.join(sorted(table))}",
            fix=f"put the column back; or say `nullable: true` and `optional: true` of it in {file}",
        )
    if wrong := retyped(source, table):
        raise has_other_types(
            problem,
            wrong,
            place=place,
            found=", ".join(f"{column} is {words}" for column, words in wrong.items()),
            fix=f"give the column its type again; or change `type` in {file}",
        )
    chosen = {column: table[column] for column in source.columns if column in table}
    if barred := [column for column, told in chosen.items() if not told.may_read]:
        raise _forbidden(problem, f"no right to read {', '.join(barred)}")
    return chosen


def _landed(problem: Problem, extracted: Extracted) -> dict[str, Any]:
    said = f"{extracted.rows:,} rows in {extracted.path}"
    extracts.note(problem.problem, said)
    return _told(problem, extracted, said)


def _nothing(problem: Problem, last: Extracted | None, said: str) -> dict[str, Any]:
    log.info("%s: %s; no file is landed", problem.extract_table, said)
    extracts.note(problem.problem, said)
    return {**_told(problem, last, said), "path": None, "rows": 0}


def _told(problem: Problem, extracted: Extracted | None, said: str) -> dict[str, Any]:
    told: dict[str, Any] = {"path": None, "rows": 0, "until": None}
    if extracted is not None:
        told = {"path": extracted.path, "rows": extracted.rows, "until": extracted.until}
    return {"table": problem.extract_table, **told, "said": said}


def _path(problem: Problem, number: int) -> str:
    return problem.landing_prefix + names.extracted_file(problem.problem, number)


def _went_back(problem: Problem, last: Extracted, greatest: str) -> VerdictError:
    return VerdictError(
        "The watermark of the source's table went back",
        place=f"table {problem.extract_table} of the source database",
        found=f"{greatest} is its greatest value",
        expected=f"{last.until} or later, which was landed by {last.path}",
        fix="nothing was written: if the database was restored, or the newest rows were deleted, "
        f"`millrace extract {problem.problem} --full` reads every row, and goes on from there",
    )


def _forbidden(problem: Problem, found: str) -> VerdictError:
    table = str(problem.extract_table)
    return VerdictError(
        f"The role {source_table.ROLE} may not read {table}",
        place=f"the source database, as its role {source_table.ROLE}",
        found=found,
        expected="the right to read each column of the contract, and no policy that hides rows",
        fix=f"its owner says `GRANT USAGE ON SCHEMA {table.split('.', maxsplit=1)[0]} TO {source_table.ROLE}` and "
        f"`GRANT SELECT ON {table} TO {source_table.ROLE}`; a role that policies of rows bind needs BYPASSRLS",
    )
