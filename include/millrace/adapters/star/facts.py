"""Facts: what each row measured, the day, and the members, or their versions in force, that it speaks of."""

from psycopg import sql

from millrace.adapters.star.members import moved
from millrace.adapters.star.phrases import ROW_KEY, assigned, differ, listed, run, same
from millrace.adapters.star.tables import StarTables
from millrace.adapters.warehouse import Connection
from millrace.contract.star import Dimension, surrogate

UNKNOWN = 0
"""The number of the unknown member."""


def ensure_dates(connection: Connection) -> int:
    """Give `dim_date` every day of each year in which a row that came happened, in UTC.

    Returns:
        How many days are new.
    """
    return run(
        connection,
        """
        INSERT INTO warehouse.dim_date
        SELECT to_char(day, 'YYYYMMDD')::integer, day::date, year, extract(quarter FROM day)::integer,
            extract(month FROM day)::integer, extract(day FROM day)::integer, extract(week FROM day)::integer,
            extract(isodow FROM day)::integer, to_char(day, 'FMDay'), extract(isodow FROM day) > 5
        FROM (SELECT DISTINCT extract(year FROM event_timestamp AT TIME ZONE 'UTC')::integer AS year FROM came) years
        CROSS JOIN LATERAL generate_series(
            make_timestamp(year, 1, 1, 0, 0, 0), make_timestamp(year, 12, 31, 0, 0, 0), interval '1 day'
        ) AS day
        ORDER BY day ON CONFLICT DO NOTHING
        """,
    )


def load_facts(connection: Connection, of: StarTables, *, whole: bool) -> int:
    """Write the facts of rows that came or are gone, and point those at another version that now is in force.

    Args:
        whole: Whether to look at every fact.

    Returns:
        How many were pointed elsewhere.
    """
    if not whole:
        _note_affected(connection, of)
    pointers = tuple(map(surrogate, of.star.dimensions))
    own = (*of.star.fact.measures, *of.star.fact.attributes)
    columns = listed(("row_key", "event_timestamp", "date_key", *pointers, *own))
    parts: dict[str, sql.Composable] = {"fact": of.fact, "columns": columns}
    run(
        connection,
        """
        CREATE TEMP TABLE pointed ON COMMIT DROP AS
        SELECT o.row_key, o.event_timestamp,
            to_char(o.event_timestamp AT TIME ZONE 'UTC', 'YYYYMMDD')::integer AS date_key, {told}
        FROM {observed} o {joins} {affected}
        """,
        observed=of.observed,
        told=sql.SQL(", ").join([*map(_pointer, of.star.dimensions), *(sql.Identifier("o", name) for name in own)]),
        joins=sql.SQL(" ").join(_join(of, name, dimension) for name, dimension in of.star.dimensions.items()),
        affected=sql.SQL("" if whole else "WHERE o.row_key IN (SELECT row_key FROM affected)"),
    )
    run(connection, "ANALYZE pointed")
    run(connection, "DELETE FROM {fact} f USING gone g WHERE g.row_key = f.row_key", **parts)
    repointed = run(
        connection,
        "UPDATE {fact} f SET {assigned} FROM pointed p WHERE p.row_key = f.row_key AND {differ}",
        assigned=assigned(pointers, "p"),
        differ=differ(pointers, "f", "p"),
        **parts,
    )
    run(
        connection,
        "INSERT INTO {fact} ({columns}) SELECT {columns} FROM pointed p"
        " WHERE NOT EXISTS (SELECT FROM {fact} f WHERE f.row_key = p.row_key)",
        **parts,
    )
    return repointed


def _note_affected(connection: Connection, of: StarTables) -> None:
    """Rows that came, and those that happened to a member while a version held that is new or gone."""
    run(connection, f"CREATE TEMP TABLE affected (row_key {ROW_KEY} PRIMARY KEY) ON COMMIT DROP")
    run(connection, "INSERT INTO affected SELECT row_key FROM came")
    for name, dimension in of.star.dimensions.items():
        if dimension.history:
            run(
                connection,
                "INSERT INTO affected SELECT o.row_key FROM {observed} o"
                " JOIN {moved} m ON {same} AND o.event_timestamp >= m.valid_from"
                " AND o.event_timestamp < coalesce(m.valid_to, 'infinity') ON CONFLICT DO NOTHING",
                observed=of.observed,
                moved=moved(name),
                same=same(dimension.key, "o", "m"),
            )
    run(connection, "ANALYZE affected")


def _pointer(name: str) -> sql.Composed:
    column = sql.Identifier(surrogate(name))
    return sql.SQL("coalesce({}.{column}, {unknown}) AS {column}").format(
        _alias(name), column=column, unknown=sql.Literal(UNKNOWN)
    )


def _join(of: StarTables, name: str, dimension: Dimension) -> sql.Composed:
    # One probe of the index for each row, however many versions a member has.
    in_force = (
        "LEFT JOIN LATERAL (SELECT {number} FROM {dimension} d WHERE {same} AND d.valid_from <= o.event_timestamp"
        " ORDER BY d.valid_from DESC LIMIT 1) {alias} ON TRUE"
    )
    only = "LEFT JOIN {dimension} {alias} ON {same}"
    return sql.SQL(in_force if dimension.history else only).format(
        dimension=of.dimension(name),
        alias=_alias(name),
        number=sql.Identifier(surrogate(name)),
        same=same(dimension.key, "o", "d" if dimension.history else f"in_{name}"),
    )


def _alias(name: str) -> sql.Identifier:
    # Not the bare name: a dimension may be called o.
    return sql.Identifier(f"in_{name}")
