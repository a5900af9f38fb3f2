"""Which versions of a problem led, as GET /v1/models/{problem} tells it: what the watch saw, never a query."""

from typing import Any

from serving.champion import Watch

LAST = 50
"""So many reigns are told at most, the newest first."""


def history_block(watch: Watch, problem: str) -> dict[str, Any]:
    """`history`, null where the database was not seen since this replica started; and why it may be incomplete."""
    reigns = watch.histories.get(problem)
    note = watch.trouble or (None if reigns is not None else "the champions were not looked up yet")
    told = [
        {
            "version": one.version,
            "generation": one.generation,
            "from": one.since.isoformat(),
            "to": one.until.isoformat() if one.until else None,
            "actor": one.actor,
            "reason": one.reason,
        }
        for one in reigns or ()
    ]
    return {"history": told if reigns is not None else None, "history_note": note}
