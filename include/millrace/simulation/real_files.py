"""Real CSV files: which one is whose."""

import csv
from collections.abc import Iterable
from pathlib import Path

from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem
from millrace.contract.source import BLANKS, Source


def match_real_files(folder: Path, problems: Iterable[Problem]) -> dict[str, Path]:
    """Which CSV file of a folder fits which problem: the one whose header has its columns, and fewest others.

    Key and time may be lacking where the contract assigns them.

    Returns:
        Problem name → file.

    Raises:
        MillraceError: If the folder holds no CSV file, or none or two fit a problem.
    """
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise MillraceError(
            "There are no files to use",
            place=str(folder),
            found="no such folder" if not folder.is_dir() else "no *.csv",
            expected="CSV files with a header",
            fix="name the folder that holds the CSV files, as in `make demo DATA=../data`",
        )
    return {problem.problem: _file_of(problem, files, folder) for problem in problems}


def _file_of(problem: Problem, files: list[Path], folder: Path) -> Path:
    known = [problem.source.header_of(name) for name in problem.source.columns]
    headers = {file: _header(file, problem.source) for file in files}
    source = problem.source
    wanted = {source.header_of(name) for name in source.columns if name not in source.optional_in_file()}
    lacking = {file: wanted - header for file, header in headers.items()}
    fitting = [file for file in files if not lacking[file]]
    if not fitting:
        closest = min(files, key=lambda file: len(lacking[file]))
        missing = sorted(lacking[closest])
        told = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise MillraceError(
            f"No file fits the problem {problem.problem}",
            place=str(folder),
            found=f"{len(files)} CSV files; the closest, {closest.name}, lacks {told}",
            expected=f"a header with {', '.join(word for word in known if word in wanted)}",
            fix="put the file there, or say in the problem's YAML what the file calls its columns (`header`)",
        )
    surplus = {file: len(headers[file] - set(known)) for file in fitting}
    best = [file for file in fitting if surplus[file] == min(surplus.values())]
    if len(best) > 1:
        raise MillraceError(
            f"Two files fit the problem {problem.problem}",
            place=str(folder),
            found=", ".join(file.name for file in best),
            expected="one file a problem",
            fix="leave one of them in the folder",
        )
    return best[0]


def _header(file: Path, source: Source) -> frozenset[str]:
    encoding = "utf-8-sig" if source.encoding == "utf-8" else source.encoding
    with file.open(encoding=encoding, errors="replace", newline="") as lines:
        found = next(csv.reader(lines, delimiter=source.delimiter, skipinitialspace=source.trim), [])
    return frozenset(word.strip(BLANKS) if source.trim else word for word in found)
