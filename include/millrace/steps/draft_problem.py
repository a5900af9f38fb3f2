"""From a file nobody has described to a first problem file and a page that shows what the file holds."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from millrace.contract.errors import MillraceError
from millrace.contract.loading import PROBLEM_FILES, InvalidProblemError, load_problem, load_problems
from millrace.contract.problem import Problem
from millrace.domain.profiling.decisions import Decision, decisions
from millrace.domain.profiling.draft import draft
from millrace.domain.profiling.naming import is_identifier, problem_name
from millrace.domain.profiling.page import page
from millrace.domain.profiling.table import TableProfile, profile_table
from millrace.steps.read_unseen_file import read_unseen_file


@dataclass(frozen=True)
class Drafted:
    """What was written: a problem that loads, and what a person has to decide about it."""

    problem: Problem
    table: TableProfile
    total_rows: int
    ragged_rows: int
    decisions: list[Decision]


def draft_problem(file: Path, *, label: str, name: str, output: Path, report: Path, force: bool) -> Drafted:
    """Profile a file, and write the draft and the page.

    Args:
        file: A CSV or Parquet file.
        label: The column to predict, as the file calls it.
        name: Name of the problem.
        output: Where the problem file is written.
        report: Where the page is written.
        force: Whether a problem file that is there may be replaced.

    Raises:
        MillraceError: If the file or the label cannot be used, or the problem file is there already.
    """
    demand_place(name, output, force=force)
    read = read_unseen_file(file)
    table = profile_table(read.dialect, read.table.num_rows, read.column, label, str(file))
    schema = (output.parent / "schema" / "problem.json").is_file()
    source = _source_name(name, output)
    text = draft(table, problem=name, source=source, file=file.name, total_rows=read.total_rows, schema=schema)
    problem = _loaded(text, name)
    output.parent.mkdir(parents=True, exist_ok=True)
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(page(table, title=problem.title, file=file.name, total_rows=read.total_rows), encoding="utf-8")
    output.write_text(text, encoding="utf-8")
    return Drafted(problem, table, read.total_rows, read.ragged_rows, decisions(table))


def demand_place(name: str, output: Path, *, force: bool) -> None:
    """Whether a problem of this name can be written there.

    Raises:
        MillraceError: If the name cannot be used, or the problem file is there already.
    """
    _refuse_name(name)
    if not force and (taken := _taken(output)):
        raise MillraceError(
            "The problem file is there already",
            place=str(taken),
            found="a file that someone may have edited",
            expected="no such file",
            fix="choose another --problem NAME, or replace it with --force",
        )


def name_from(file: str) -> str:
    """A problem's name from a file's or a table's."""
    return problem_name(file.split(".", maxsplit=1)[0])


def _refuse_name(name: str) -> None:
    if not is_identifier(name):
        raise MillraceError(
            "The name of the problem cannot be used",
            place="--problem",
            found=name,
            expected="a small letter, then at most 39 small letters, digits or _",
            fix=f"call it {problem_name(name) or 'otherwise'}",
        )


def _taken(output: Path) -> Path | None:
    # .yaml and .yml are the same problem.
    same = (path for path in output.parent.glob(PROBLEM_FILES) if path.stem == output.stem)
    return next(same, None)


def _source_name(name: str, output: Path) -> str:
    others = load_problems(output.parent)[0] if output.parent.is_dir() else {}
    taken = {source for other in others.values() if other.problem != name for source in other.sources}
    wanted = f"{name[:35]}_rows"
    return wanted if wanted not in taken else f"{name[:35]}_file"


def _loaded(text: str, name: str) -> Problem:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            return load_problem(path)
        except InvalidProblemError as error:
            raise MillraceError(
                "The draft would not pass lint, which is a fault of Millrace",
                place=error.place,
                found=f"{error.problem}; {error.found}",
                expected=error.expected,
                fix="report it with the header of the file; until then, write the problem file by hand",
            ) from error
