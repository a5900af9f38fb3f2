"""What the keeper of the connectors found missing at its last look, told in a file of the state folder."""

import json
import time

from millrace.contract.names import WAREHOUSE
from millrace.settings import get_settings

OUTDATED_SECONDS = 60.0
"""It looks every few seconds; a look at services that do not answer takes longer."""
WHOLE_DATABASE = "source database"


def missing(problem: str) -> str | None:
    """In words, why a problem's connector, or the warehouse's, does not run, or why that is not known; None when it
    runs."""
    path = get_settings().home / "connectors" / "missing.json"
    try:
        age = time.time() - path.stat().st_mtime
        told: dict[str, str] = json.loads(path.read_text())
    except (OSError, ValueError):
        return "not known: no report of the service connectors in this state folder"
    if age > OUTDATED_SECONDS:
        return f"not known: the service connectors has not looked for {age:.0f} s"
    if words := told.get(problem):
        return words
    concerned = WHOLE_DATABASE in told and problem != WAREHOUSE
    return f"the source database: {told[WHOLE_DATABASE]}" if concerned else None
