"""The catalog `lake` and the tables in it."""

import logging
import os
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from sqlalchemy.exc import IntegrityError, OperationalError

from millrace.adapters.unreachable import unreachable
from millrace.settings import get_settings

# It tells at level INFO, for each look at a table, which class reads files.
logging.getLogger("pyiceberg.io").setLevel(logging.WARNING)

TABLE_PROPERTIES = {
    "format-version": "2",
    # Without these two, each look at the table gets slower with each commit.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    # Spark writes gzip to a table that pyiceberg made, which costs several times as much.
    "write.parquet.compression-codec": "zstd",
}
"""What every table of the lake has, whichever engine creates it."""


def catalog() -> Catalog:
    """The catalog `lake`, which is Spark's catalog of the same name. One a process."""
    return _catalog(os.getpid())


@cache
def _catalog(_process: int) -> Catalog:
    # Keyed by process: a forked child must not speak on its parent's database connections.
    settings = get_settings()
    return load_catalog(
        "lake",
        **{
            "type": "sql",
            "uri": settings.postgres_dsn("iceberg").replace("postgresql://", "postgresql+psycopg://", 1),
            "schema_version": "v1",
            "pool_pre_ping": "true",
            "warehouse": f"s3://{settings.lake_bucket}/warehouse",
            "s3.endpoint": settings.s3_url,
            "s3.region": settings.s3_region,
            "s3.access-key-id": settings.s3_access_key,
            "s3.secret-access-key": settings.s3_secret_key.get_secret_value(),
            # Told nothing, the client gives a slow store 3 s, asks again, and is told that its upload is unknown: it
            # had been completed (seen).
            "s3.connect-timeout": "5",
            "s3.request-timeout": "60",
            "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO",
        },
    )


def ping() -> None:
    """Ask the catalog for its namespaces.

    Raises:
        MillraceError: If its database cannot be reached or refuses us.
    """
    try:
        catalog().list_namespaces()
    except OperationalError as error:
        settings = get_settings()
        place = f"database iceberg, {settings.postgres_host}:{settings.port('postgres')}"
        raise unreachable("The catalog of the lake", place, error) from error


def table_exists(table: str) -> bool:
    return catalog().table_exists(table)


def ensure_table(
    table: str,
    schema: Schema,
    spec: PartitionSpec = UNPARTITIONED_PARTITION_SPEC,
    properties: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Create the table, with a first and empty snapshot from which branches can be cut. Harmless when it exists.

    Args:
        properties: What it has besides `TABLE_PROPERTIES`; a table that is there gets what it lacks.
    """
    wanted = {**TABLE_PROPERTIES, **properties}
    _ensure_namespace(table.split(".", 1)[0])
    made = catalog().create_table_if_not_exists(table, schema=schema, partition_spec=spec, properties=wanted)
    _set_properties(made, wanted)
    if made.current_snapshot() is None:
        made.append(made.schema().as_arrow().empty_table())


def _set_properties(table: Table, properties: Mapping[str, str]) -> None:
    """Set table properties that differ. Harmless when none does."""
    changed = {key: value for key, value in properties.items() if table.properties.get(key) != value}
    if changed:
        with table.transaction() as transaction:
            transaction.set_properties(changed)


def _ensure_namespace(namespace: str) -> None:
    try:
        catalog().create_namespace_if_not_exists(namespace)
    except IntegrityError:
        # Another process made it between the look and the insert; pyiceberg does not expect that.
        if not catalog().namespace_exists(namespace):
            raise


def drop_table(table: str) -> None:
    """Forget the table and delete its files. Harmless when it does not exist."""
    if table_exists(table):
        catalog().purge_table(table)
