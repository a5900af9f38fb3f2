"""The star schema of the warehouse: dimensions, facts, and what they are made from, each change in one transaction.

Everything follows from `observed_<problem>`, which holds for each row of silver what it said. A load brings that table
up to date, notes since when which members of a dimension are touched, and makes their versions and facts anew from
there: what is older than the earliest change stays as it is.
"""

from millrace.adapters.star.ledger import Loaded, forget, loaded, lock, record
from millrace.adapters.star.loading import load
from millrace.adapters.star.observed import staged_columns
from millrace.adapters.star.tables import StarTables, ensure_tables

__all__ = [
    "Loaded",
    "StarTables",
    "ensure_tables",
    "forget",
    "load",
    "loaded",
    "lock",
    "record",
    "staged_columns",
]
