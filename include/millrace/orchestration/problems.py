"""The problems for which DAG files make DAGs."""

from millrace.contract.loading import InvalidProblemError, load_problems
from millrace.contract.problem import Problem
from millrace.settings import get_settings


def valid_problems() -> list[Problem]:
    """Every usable problem. `dags/invalid_problems.py` alone reports the others: one bad file must break one thing."""
    problems, _ = load_problems(get_settings().problems_dir)
    return list(problems.values())


def invalid_problems() -> list[InvalidProblemError]:
    """The errors of the problem files that cannot be used."""
    _, errors = load_problems(get_settings().problems_dir)
    return errors
