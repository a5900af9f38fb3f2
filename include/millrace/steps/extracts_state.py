"""How far the extracts of a problem's table have come, in words for people."""

from dataclasses import dataclass
from datetime import datetime

from millrace.adapters import extracts
from millrace.contract.errors import MillraceError
from millrace.contract.problem import Problem


@dataclass(frozen=True)
class ExtractsState:
    """Each a line of words, of a problem whose table is extracted."""

    landed: str
    until: str
    looked: str


def extracts_state(problem: Problem) -> ExtractsState:
    try:
        last, look = extracts.newest(problem.problem), extracts.last_look(problem.problem)
    except MillraceError as error:
        return ExtractsState(f"not known: {error.problem}; {error.fix}", "", "")
    looked = "never" if look is None else f"{_at(look[0])}: {look[1]}"
    if last is None:
        return ExtractsState("nothing yet", "", looked)
    rows = f"{last.rows:,} {'rows, all there were' if last.is_full else 'rows'}"
    return ExtractsState(f"{_at(datetime.fromisoformat(last.read_at))}: {rows}", last.until or "no watermark", looked)


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
