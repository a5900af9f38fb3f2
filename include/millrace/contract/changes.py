"""Changes: the table of an operational database whose every committed row reaches bronze. How rows come, not what each
must be: no part of a package, nor of a hash."""

import re

from pydantic import Field, field_validator

from millrace.contract.intake import Intake

TABLE = re.compile(r"[a-z_][a-z0-9_]{0,62}\.[a-z_][a-z0-9_]{0,62}")
POSITION_GONE = "no longer available on the server"
"""What Debezium says of a connector whose position is before what its slot kept; no restart helps it."""
OUR_SCHEMA = "millrace"
"""The schema of the source database that holds what Millrace needs there: heartbeats and signals."""


def table_of_an_application(table: str | None) -> str | None:
    """The same, unless it is a table of the house or of the database itself.

    Raises:
        ValueError: If it is.
    """
    schema = (table or "").split(".")[0]
    if schema in (OUR_SCHEMA, "information_schema") or schema.startswith("pg_"):
        raise ValueError(f"a table of the application, not of the schema {schema}")
    return table


class Changes(Intake):
    """A table of the source database, followed by Debezium, and when what it brings is taken in.

    Its columns are called as those of the contract.
    """

    table: str | None = Field(default=None, pattern=f"^{TABLE.pattern}$")
    """The table, as schema.table; default: the source's name in the schema `public`."""
    allow_truncate: bool = False
    """Whether TRUNCATE ends every row that changes told of; otherwise it stops the ingestion until that is allowed."""

    @field_validator("table")
    @classmethod
    def _not_of_the_house(cls, table: str | None) -> str | None:
        return table_of_an_application(table)
