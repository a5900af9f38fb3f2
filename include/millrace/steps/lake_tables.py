"""The tables of the lake that problems have."""

from collections.abc import Callable, Iterable

from millrace.adapters import lake
from millrace.contract import names
from millrace.contract.errors import MillraceError, did_you_mean
from millrace.contract.problem import Problem


def lake_tables(problem: Problem) -> list[str]:
    """The tables of one problem, in the order in which rows reach them; each may not be there yet."""
    sources = list(problem.sources)
    return [
        *(names.bronze_files(source) for source in sources),
        *tables_of_changes(problem),
        *(names.quarantine(source) for source in sources),
        *(names.silver(source) for source in sources),
        names.gold(problem.problem),
    ]


def tables_of_changes(problem: Problem) -> list[str]:
    """Those that get a snapshot with each ingestion from a topic, thousands a day."""
    return [names.bronze_changes(problem.source_name)] if problem.topics else []


def chosen_tables(
    problems: Iterable[Problem],
    wanted: Iterable[str],
    *,
    among: Callable[[Problem], list[str]] = lake_tables,
) -> list[dict[str, str]]:
    """The tables that are there, each with its problem.

    Args:
        wanted: Names of tables; empty: all.
        among: The tables of a problem that count.

    Returns:
        problem and table, one pair a table.

    Raises:
        MillraceError: If one of the wanted tables is not there.
    """
    there = {table: each.problem for each in problems for table in among(each) if lake.table_exists(table)}
    chosen = list(wanted) or list(there)
    for table in chosen:
        if table not in there:
            raise MillraceError(
                f'There is no table "{table}" to maintain',
                place="param tables",
                found=table,
                expected=did_you_mean(table, list(there)),
                fix="give the names of tables of the lake, or none to maintain every one",
            )
    return [{"problem": there[table], "table": table} for table in chosen]
