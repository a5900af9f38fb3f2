"""The receipt of a prediction: version → content → gold snapshot and tag → the files and offsets that it came from."""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from millrace.adapters import champions
from millrace.contract import names
from millrace.contract.errors import MillraceError

if TYPE_CHECKING:
    from millrace.adapters.lake.receipts import Origin

Receipt = Callable[[str, int], dict[str, Any]]
"""Problem and version → receipt. What cannot be looked up now is null, and `trouble` says why."""


def receipt(problem: str, version: int) -> dict[str, Any]:
    """The receipt of a version."""
    try:
        return _receipt(problem, version)
    except MillraceError as error:
        return {"version": version, **dict.fromkeys(_LATER), "trouble": f"{error.problem}: {error.found}"}


@lru_cache(maxsize=256)
def _receipt(problem: str, version: int) -> dict[str, Any]:
    """As above. Kept, for nothing of a registered version changes; what failed is asked again."""
    told = champions.registration(problem, version)
    gold = names.gold(problem)
    tag = told.get("gold_tag")
    found = _origin(gold, str(tag)) if tag else None
    return {
        "version": version,
        "content_hash": told["content_hash"],
        "package": told["uri"],
        "training_run": told.get("run_key"),
        "gold": {
            "table": gold,
            # As text: it has more digits than a number in JavaScript keeps.
            "snapshot": str(told["gold_snapshot"]) if told.get("gold_snapshot") is not None else None,
            "tag": tag,
        },
        "bronze": None
        if found is None
        else {"files": found.files, "offsets": found.offsets, "is_whole": found.is_whole},
        "trouble": None if found is not None else f"the tag {tag} of {gold} is not there",
    }


def _origin(gold: str, tag: str) -> "Origin | None":
    # Here, for it brings the lake's libraries: a replica that is asked for no receipt does without 70 MiB.
    from millrace.adapters.lake.receipts import origin

    try:
        return origin(gold, tag)
    except MillraceError:
        raise
    except Exception as error:
        raise MillraceError(
            "The lake cannot be asked",
            place=f"table {gold}, tag {tag}",
            found=type(error).__name__,
            expected="the catalog in Postgres and the object store",
            fix="`make status` shows what runs, `make up` starts it",
        ) from error


_LATER = ("content_hash", "package", "training_run", "gold", "bronze")
