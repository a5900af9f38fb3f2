"""The serving replicas, spoken to over HTTP as any caller would."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from millrace.contract.errors import MillraceError
from millrace.settings import get_settings

LOOK_AGAIN_SECONDS = 0.2
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Serves:
    """What one replica says it serves of a problem; `why_not` where it serves nothing, or does not answer."""

    url: str
    version: int | None = None
    generation: int | None = None
    content_hash: str | None = None
    why_not: str | None = None


def replicas() -> list[str]:
    """The address of every replica."""
    return get_settings().replica_urls()


def ping() -> None:
    """Ask every replica whether it is alive.

    Raises:
        MillraceError: If one does not answer.
    """
    for url in replicas():
        try:
            httpx.get(f"{url}/healthz", timeout=TIMEOUT_SECONDS).raise_for_status()
        except httpx.HTTPError as error:
            raise _away(url, str(error) or type(error).__name__) from error


def serves(url: str, problem: str) -> Serves:
    """Ask one replica what it serves. Never raises: not answering is an answer here."""
    try:
        found = httpx.get(f"{url}/v1/models/{problem}", headers=_key(), timeout=TIMEOUT_SECONDS)
        if found.status_code != 200:
            return Serves(url, why_not=f"HTTP {found.status_code}: {_told(found)}")
        model = found.json()["model"]
        return Serves(url, model["version"], model["generation"], model["content_hash"])
    except (httpx.HTTPError, ValueError, KeyError) as error:
        return Serves(url, why_not=str(error) or type(error).__name__)


def await_all(
    problem: str, arrived: Callable[[Serves], bool], *, deadline_seconds: float, urls: list[str] | None = None
) -> list[Serves]:
    """Ask until every replica has arrived, or the deadline has passed; the last answers either way."""
    urls = urls or replicas()
    end = time.monotonic() + deadline_seconds
    while True:
        found = [serves(url, problem) for url in urls]
        if all(arrived(one) for one in found) or time.monotonic() > end:
            return found
        time.sleep(LOOK_AGAIN_SECONDS)


def readiness(url: str) -> dict[str, Any]:
    """What one replica says of its readiness; empty if it does not answer."""
    try:
        told: dict[str, Any] = httpx.get(f"{url}/readyz", timeout=TIMEOUT_SECONDS).json()
        return told
    except (httpx.HTTPError, ValueError):
        return {}


def predict(url: str, problem: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Let one replica predict rows.

    Returns:
        Its answer: predictions (one a row, in order), model_version and model.

    Raises:
        MillraceError: If it does not answer, or refuses a row.
    """
    path = f"{url}/v1/models/{problem}/predict/batch"
    try:
        found = httpx.post(path, json={"rows": rows}, headers=_key(), timeout=TIMEOUT_SECONDS)
    except httpx.HTTPError as error:
        raise _away(url, str(error) or type(error).__name__) from error
    if found.status_code != 200:
        raise MillraceError(
            f"A replica refuses to predict {problem}",
            place=path,
            found=f"HTTP {found.status_code}: {_told(found)}",
            expected="HTTP 200 with one prediction a row",
            fix=f"`millrace status` shows what serves; `millrace history {problem}` tells why nothing does yet"
            if found.status_code == 404
            else f"mend the rows; {url}/v1/models/{problem} tells what each column takes",
        )
    answer: dict[str, Any] = found.json()
    if faults := [fault for one in answer["predictions"] for fault in one.get("errors", ())]:
        raise MillraceError(
            f"{answer['rows_refused']} of {len(rows)} rows break the contract of {problem}",
            place=path,
            found=_in_words(faults),
            expected="rows that obey it",
            fix=f"mend the rows; {url}/v1/models/{problem} tells what each column takes",
        )
    return answer


def _key() -> dict[str, str]:
    """The key of this stack's env file. httpx tells no header in an error."""
    key = get_settings().api_key.get_secret_value()
    return {"Authorization": f"Bearer {key}"} if key else {}


TOLD_FAULTS = 20
"""Of a refused request, so many faults are told; one row has few more columns."""


def _told(answer: httpx.Response) -> str:
    try:
        told = answer.json()
        return f"{told['title']}; found {told['found']}; expected {told['expected']}"
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]


def _in_words(faults: list[dict[str, Any]]) -> str:
    each = [
        f"row {one['row']}, column {one['column']}: {one['found']}, expected {one['expected']}"
        for one in faults[:TOLD_FAULTS]
    ]
    return "; ".join([*each, *(["and more"] if len(faults) > TOLD_FAULTS else [])])


def _away(url: str, found: str) -> MillraceError:
    return MillraceError(
        "A serving replica does not answer",
        place=url,
        found=found,
        expected="a replica that answers",
        fix="`make status` shows which services run; the replica's log says why it does not",
    )
