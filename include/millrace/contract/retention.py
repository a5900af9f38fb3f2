"""How long what is no longer in force is kept. It decides nothing about rows or models, so it is no part of a hash."""

from pydantic import Field

from millrace.contract.model import Model


class Retention(Model):
    """For how long what is no longer in force is kept. What landed, what trained a model, and models stay."""

    snapshots_days: int = Field(default=7, ge=1)
    """Earlier states of the tables, for reading them as of then. Those that trained a model stay."""
    changes_hours: int = Field(default=6, ge=1)
    """The same of the tables of changes, in hours: each run of an ingestion adds a state, thousands a day. What a later
    stage goes on from stays."""
    quarantine_days: int = Field(default=90, ge=1)
    """Rows in quarantine. One stays longer while it is why a row of silver is marked as stale."""
    reports_days: int = Field(default=90, ge=1)
    """Reports of checks (Data Docs) and of runs. The newest of each stage stays."""
    predictions_days: int = Field(default=90, ge=1)
    """Stored predictions, in whole days of UTC."""
