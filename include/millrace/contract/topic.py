"""A topic: rows that producers send themselves, each a message. How rows come, not what each must be: no part of a
package, nor of a hash."""

import re
from typing import Literal

from pydantic import Field

from millrace.contract.intake import Intake

TOPIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,248}")
Format = Literal["json", "json_envelope"]
"""What a message is: the row, or schema and row as Kafka Connect's JsonConverter writes them."""


class Topic(Intake):
    """A Kafka topic to which producers send rows, and when what waits there is taken in.

    A message is a row, as one of a file that never ends: its fields are called as the columns of the contract or as
    their headers.
    """

    name: str = Field(pattern=f"^{TOPIC.pattern}$")
    """The topic. Where there is none it is made; one that is there stays as it is."""
    format: Format = "json"
    """json: a JSON object is a row; or json_envelope: `{"schema": …, "payload": {row}}`, of which the payload counts.
    It counts when a message is taken in: what came before was read as it was said then."""
    partitions: int = Field(default=1, ge=1, le=1000)
    """Partitions of a topic that is made."""
