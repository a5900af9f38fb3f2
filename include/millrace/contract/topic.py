"""A topic: rows that producers send themselves, each a message. How rows come, not what each must be: no part of a
package, nor of a hash."""

import re
from typing import Literal, Self

from pydantic import Field, model_validator

from millrace.contract.intake import Intake

TOPIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,248}")
RowFormat = Literal["json", "json_envelope"]
"""What a message of a producer is: the row, or schema and row as Kafka Connect's JsonConverter writes them."""
Format = Literal["json", "json_envelope", "debezium"]
"""The same, or a change, as somebody else's connector sends it."""


class Topic(Intake):
    """A Kafka topic to which others send, and when what waits there is taken in.

    A message is a row, as one of a file that never ends: its fields are called as the columns of the contract or as
    their headers. Or it is a change of a table that somebody else's Debezium connector follows.
    """

    name: str = Field(pattern=f"^{TOPIC.pattern}$")
    """The topic. Where there is none it is made; one that is there stays as it is."""
    format: Format = "json"
    """json: a JSON object is a row; json_envelope: `{"schema": …, "payload": {row}}`, of which the payload counts; or
    debezium: a change of a Postgres table, with or without such an envelope, sent by a connector that is not ours.
    It counts when a message is taken in: what came before was read as it was said then."""
    partitions: int = Field(default=1, ge=1, le=1000)
    """Partitions of a topic that is made."""
    allow_truncate: bool = False
    """Of format debezium: whether TRUNCATE ends every row that changes told of; otherwise it stops the ingestion."""

    @property
    def brings_changes(self) -> bool:
        return self.format == "debezium"

    @model_validator(mode="after")
    def _only_tables_are_emptied(self) -> Self:
        if self.allow_truncate and not self.brings_changes:
            raise ValueError("allow_truncate is said of format debezium: no row of a producer empties a table")
        if self.partitions > 1 and self.brings_changes:
            raise ValueError("partitions cannot be said of format debezium: its connector makes the topic")
        return self
