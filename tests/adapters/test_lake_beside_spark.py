"""Spark and pyiceberg commit to the same tables of the same catalog; the fence holds between them."""

import uuid
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, MapType, NestedField, StringType
from pyspark.errors.exceptions.connect import SparkConnectException
from pyspark.sql import SparkSession

from millrace.adapters import connect, lake
from millrace.contract.errors import LostRaceError

pytestmark = pytest.mark.stack

SCHEMA = Schema(NestedField(1, "n", LongType()), NestedField(2, "told", MapType(3, StringType(), 4, StringType())))


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkSession]:
    with connect.session() as session:
        yield session


@pytest.fixture
def table() -> Iterator[str]:
    name = f"tests.beside_{uuid.uuid4().hex[:10]}"
    lake.ensure_table(name, SCHEMA)
    yield name
    lake.drop_table(name)


def rows(n: int) -> pa.Table:
    return pa.Table.from_pylist([{"n": n, "told": [("a", str(n))]}], SCHEMA.as_arrow())


def spark_appends(spark: SparkSession, branch: lake.Branch, n: int) -> None:
    frame = spark.sql(f"SELECT CAST({n} AS BIGINT) n, map('a', '{n}') told")
    stamp = f"snapshot-property.{lake.BRANCH_PROPERTY}"
    frame.writeTo(f"lake.{branch.table}.branch_{branch.name}").option(stamp, branch.name).append()


def test_spark_compresses_as_pyiceberg_does(spark: SparkSession, table: str) -> None:
    # As it was before tables said so: the next look mends it.
    with lake.catalog().load_table(table).transaction() as transaction:
        transaction.remove_properties("write.parquet.compression-codec")
    lake.ensure_table(table, SCHEMA)
    branch = lake.cut_branch(table, "compressed")
    spark_appends(spark, branch, 1)
    lake.publish(branch)
    loaded = lake.catalog().load_table(table)
    [task] = loaded.scan().plan_files()
    with loaded.io.new_input(task.file.file_path).open() as stream:
        written = pq.ParquetFile(pa.BufferReader(stream.read())).metadata
    assert written.row_group(0).column(0).compression == "ZSTD"


def test_what_spark_wrote_to_a_branch_is_published_without_it(spark: SparkSession, table: str) -> None:
    branch = lake.cut_branch(table, "spark")
    spark_appends(spark, branch, 1)
    assert lake.count(table) == spark.table(f"lake.{table}").count() == 0
    published = lake.publish(branch)
    assert lake.publish(branch) == published
    assert [row.told for row in spark.table(f"lake.{table}").collect()] == [{"a": "1"}]
    assert lake.read(table).to_pylist() == [{"n": 1, "told": [("a", "1")]}]


def test_what_pyiceberg_wrote_and_spark_published_counts_as_published(spark: SparkSession, table: str) -> None:
    branch = lake.cut_branch(table, "pyiceberg")
    lake.append(branch, rows(1), {})
    written = lake.head(table, branch.name)
    spark.sql(f"CALL lake.system.fast_forward('{table}', 'main', '{branch.name}')").collect()
    assert written is not None
    assert lake.publish(branch) == written.snapshot_id
    assert spark.table(f"lake.{table}").count() == 1


def test_a_zombie_of_spark_is_refused_after_its_retry(spark: SparkSession, table: str) -> None:
    zombie, retry = lake.cut_branch(table, "zombie"), lake.cut_branch(table, "retry")
    spark_appends(spark, zombie, 1)
    lake.append(retry, rows(1), {})
    lake.publish(retry)
    with pytest.raises(LostRaceError):
        lake.publish(zombie)
    assert spark.table(f"lake.{table}").count() == 1


def test_spark_does_not_begin_to_write_to_a_branch_that_was_swept(spark: SparkSession, table: str) -> None:
    """One swept while Spark writes is made anew, elsewhere: `test_lake.py` holds that such a branch is refused."""
    branch = lake.cut_branch(table, "swept")
    lake.drop_branch(branch)
    with pytest.raises(SparkConnectException, match="does not exist"):
        spark_appends(spark, branch, 1)
    assert lake.head(table, branch.name) is None


def test_rows_that_spark_deleted_beside_their_file_are_not_counted(spark: SparkSession, table: str) -> None:
    spark.sql(f"ALTER TABLE lake.{table} SET TBLPROPERTIES ('write.delete.mode' = 'merge-on-read')").collect()
    for first in (0, 5):
        five = spark.range(first, first + 5, 1, 1).selectExpr("id AS n", "map('a', 'b') AS told")
        five.writeTo(f"lake.{table}").append()
    for gone in ("n = 2", "n IN (4, 6)"):
        spark.sql(f"DELETE FROM lake.{table} WHERE {gone}").collect()
    assert lake.count(table) == lake.read(table).num_rows == 7
    assert lake.count(table, where="n > 3") == 4
    assert lake.count(table, where="n < 3") == 2
