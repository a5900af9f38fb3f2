"""Changing a table's columns when its contract changed. Metadata only: earlier snapshots keep their schema and rows."""

from pyiceberg.schema import Schema
from pyiceberg.types import NestedField, PrimitiveType

from millrace.adapters.lake.tables import catalog


def fit_columns(table: str, wanted: Schema) -> list[str]:
    """Give a table the wanted columns, in whatever order. A column of another type is dropped and added anew.

    Rows written before read null in a new column; the caller writes all rows anew.

    Returns:
        The names of the columns that were added.
    """
    loaded = catalog().load_table(table)
    present = {field.name: field for field in loaded.schema().fields}
    missing = [field for field in wanted.fields if not _fits(present.get(field.name), field)]
    kept = {field.name for field in wanted.fields} - {field.name for field in missing}
    surplus = [name for name in present if name not in kept]
    if surplus:
        with loaded.update_schema(allow_incompatible_changes=True) as update:
            for name in surplus:
                update.delete_column(name)
    if missing:
        with catalog().load_table(table).update_schema() as update:
            for field in missing:
                update.add_column(field.name, field.field_type)
    return [field.name for field in missing]


def lacks_columns(table: str, ref: str) -> bool:
    """Whether the rows at a ref were written before a column of today's schema was there, so that they read null in it.

    So it is where an attempt changed the columns and then did not publish the rows that go with them.
    """
    loaded = catalog().load_table(table)
    head = loaded.snapshot_by_name(ref)
    if head is None or head.schema_id is None:
        return False
    written = {field.field_id for field in loaded.schemas()[head.schema_id].fields}
    return any(field.field_id not in written for field in loaded.schema().fields)


def _fits(present: NestedField | None, wanted: NestedField) -> bool:
    # Field ids are the table's own, so structs could only be compared without them; ours never change.
    nested = not isinstance(wanted.field_type, PrimitiveType)
    return present is not None and (nested or present.field_type == wanted.field_type)
