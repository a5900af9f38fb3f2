"""The corpus as one row of one source, so that an engine judges all of it in one go: case 7's column c is `case7_c`."""

from collections.abc import Iterable, Mapping

from millrace.contract.source import CrossColumnRule, Source
from tests.contract.parity_corpus import CORPUS, Case


def one_source(cases: Mapping[int, Case]) -> Source:
    """A source of all columns and rules of the cases."""
    columns = {f"case{n}_{name}": column for n, case in cases.items() for name, column in case.columns.items()}
    rules = tuple(
        CrossColumnRule(
            name=f"case{n}_{rule.name}",
            left=f"case{n}_{rule.left}",
            operator=rule.operator,
            right=f"case{n}_{rule.right}",
        )
        for n, case in cases.items()
        for rule in case.rules
    )
    return Source(assigned_key="row_content", assigned_time="file_modified", columns=columns, rules=rules)


def numbered(cases: Iterable[Case]) -> dict[int, Case]:
    return {CORPUS.index(case): case for case in cases}


def one_text(cases: Mapping[int, Case]) -> dict[str, str]:
    """The text of all columns of the cases that a file can say."""
    return {f"case{n}_{name}": text for n, case in cases.items() for name, text in (case.raw or {}).items()}


def by_case(cases: Mapping[int, Case], codes: Iterable[str]) -> dict[str, frozenset[str]]:
    """Case's name → the codes that the engine gave it, under the names that the case itself uses."""
    found: dict[int, set[str]] = {n: set() for n in cases}
    for code in codes:
        kind, _, name = code.partition(":")
        number, _, own = name.removeprefix("case").partition("_")
        found[int(number)].add(f"{kind}:{own}")
    return {cases[n].name: frozenset(given) for n, given in found.items()}


def expected(cases: Mapping[int, Case]) -> dict[str, frozenset[str]]:
    return {case.name: case.reasons for case in cases.values()}
