"""When what waits in a Kafka topic is taken in, and how much of it at once."""

from pydantic import Field

from millrace.contract.model import Model


class Intake(Model):
    """A backlog fires when it has `rows`, or when its oldest message is `seconds` old."""

    rows: int = Field(default=1000, ge=1)
    """Messages that wait until they are taken in, if they do not get too old before."""
    seconds: float = Field(default=30, gt=0)
    """Age of the oldest waiting message at which all are taken in."""
    max_rows: int = Field(default=500_000, ge=1)
    """Messages that one run takes at most; the rest is the next run's."""
    retry_seconds: float = Field(default=600, gt=0)
    """When a backlog is told again of which no run took anything in, whatever came meanwhile."""
