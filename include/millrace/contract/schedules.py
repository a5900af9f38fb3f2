"""When work of a problem starts by itself."""

from pydantic import Field

from millrace.contract.cron import Cron
from millrace.contract.model import Model


class Schedules(Model):
    """When work starts by itself, besides data arriving."""

    train: Cron | None = None
    """A cron expression for training, besides the first one and those that new rows bring."""
    retrain_after_new_rows: int | None = Field(default=None, ge=1)
    """Train again when this many labelled rows are new since the last training."""
