"""Members of a dimension and their versions, made anew from the earliest change on, so that no order of loads matters.

Rows of one instant are ordered by their key, and the last of them counts for that instant: content decides, not which
file came first.
"""

from psycopg import sql

from millrace.adapters.star.phrases import assigned, differ, known, listed, run, same
from millrace.adapters.star.tables import StarTables
from millrace.adapters.warehouse import Connection
from millrace.contract.star import Dimension

_SPAN = ("valid_to", "is_current")


def touched(dimension: str) -> sql.Identifier:
    """The temporary table of the members that a load touches: their key, and `_since` when."""
    return sql.Identifier(f"touched_{dimension}")


def moved(dimension: str) -> sql.Identifier:
    """The temporary table of the versions that a load makes or takes away: their key, and from when to when they held.

    Facts of no other time point at another version than before.
    """
    return sql.Identifier(f"moved_{dimension}")


def load_members(connection: Connection, of: StarTables, name: str, *, whole: bool) -> None:
    """Bring a dimension to what was observed of the members that this load touches.

    Args:
        whole: Whether to look at every member.
    """
    dimension = of.star.dimensions[name]
    _note_touched(connection, of, name, dimension, whole=whole)
    _make_versions(connection, of, name, dimension)
    _apply(connection, of, name, dimension)
    for column in dimension.corrected:
        _correct(connection, of, name, dimension, column)
    run(connection, "ANALYZE {t}", t=of.dimension(name))


def _note_touched(connection: Connection, of: StarTables, name: str, dimension: Dimension, *, whole: bool) -> None:
    key = listed(dimension.key)
    if whole:
        everyone = "SELECT {key}, '-infinity'::timestamptz AS _since FROM (SELECT {key} FROM {o} UNION SELECT {key}"
        text, parts = everyone + " FROM {d}) m WHERE {known}", {"o": of.observed}
    else:
        some = "SELECT {key}, min(event_timestamp) AS _since FROM (SELECT {key}, event_timestamp FROM came UNION ALL"
        text, parts = some + " SELECT {key}, event_timestamp FROM gone) m WHERE {known} GROUP BY {key}", {}
    run(
        connection,
        f"CREATE TEMP TABLE {{touched}} ON COMMIT DROP AS {text}",
        touched=touched(name),
        key=key,
        d=of.dimension(name),
        known=known(dimension.key, "m"),
        **parts,
    )
    run(connection, "ANALYZE {touched}", touched=touched(name))


def _make_versions(connection: Connection, of: StarTables, name: str, dimension: Dimension) -> None:
    """Fill the temporary table of the versions that touched members have from `_since` on, and the one before."""
    parts: dict[str, sql.Composable] = {
        "versions": _versions(name),
        "touched": touched(name),
        "observed": of.observed,
        "dimension": of.dimension(name),
        "key": listed(dimension.key),
        "t_key": listed(dimension.key, "t"),
        "observed_same": same(dimension.key, "o", "t"),
        "member_same": same(dimension.key, "d", "t"),
    }
    if not dimension.history:
        run(
            connection,
            "CREATE TEMP TABLE {versions} ON COMMIT DROP AS SELECT {t_key} FROM {touched} t"
            " WHERE EXISTS (SELECT FROM {observed} o WHERE {observed_same})",
            **parts,
        )
        return
    history = dimension.history
    groups = {column: sql.Identifier(f"_known_{place}") for place, column in enumerate(history)}
    parts |= {
        "history": listed(history),
        "o_history": listed(history, "o"),
        "d_history": listed(history, "d"),
        "counts": sql.SQL(", ").join(
            sql.SQL("count({}) OVER told_until AS {}").format(sql.Identifier(c), group) for c, group in groups.items()
        ),
        # The first row of a group is the one that brought the value; later ones of the group bring none.
        "carried": sql.SQL(", ").join(
            sql.SQL("first_value({0}) OVER (PARTITION BY {1}, {2} ORDER BY _at, row_key) AS {0}").format(
                sql.Identifier(c), listed(dimension.key), group
            )
            for c, group in groups.items()
        ),
        "before": sql.SQL(", ").join(sql.SQL("lag({}) OVER changes").format(sql.Identifier(c)) for c in history),
    }
    run(
        connection,
        """
        CREATE TEMP TABLE {versions} ON COMMIT DROP AS
        WITH told AS (
            SELECT {t_key}, o.event_timestamp AS _at, o.row_key, {o_history}
            FROM {touched} t JOIN {observed} o ON {observed_same} AND o.event_timestamp >= t._since
            UNION ALL
            SELECT {t_key}, in_force.valid_from, '', {history} FROM {touched} t CROSS JOIN LATERAL (
                SELECT d.valid_from, {d_history} FROM {dimension} d
                WHERE {member_same} AND d.valid_from < t._since ORDER BY d.valid_from DESC LIMIT 1
            ) in_force
        ), grouped AS (
            SELECT *, {counts} FROM told WINDOW told_until AS (PARTITION BY {key} ORDER BY _at, row_key)
        ), carried AS (
            SELECT {key}, _at, row_key, {carried} FROM grouped
        ), instants AS (
            SELECT DISTINCT ON ({key}, _at) {key}, _at, {history} FROM carried ORDER BY {key}, _at, row_key DESC
        ), marked AS (
            SELECT *, row_number() OVER changes = 1 OR ROW({history}) IS DISTINCT FROM ROW({before}) AS _changed
            FROM instants WINDOW changes AS (PARTITION BY {key} ORDER BY _at)
        )
        SELECT {key}, _at AS valid_from, lead(_at) OVER following AS valid_to,
            lead(_at) OVER following IS NULL AS is_current, {history}
        FROM marked WHERE _changed WINDOW following AS (PARTITION BY {key} ORDER BY _at)
        """,
        **parts,
    )


def _apply(connection: Connection, of: StarTables, name: str, dimension: Dimension) -> None:
    """Delete, change and insert what differs, and nothing else."""
    identity = (*dimension.key, *(("valid_from",) if dimension.history else ()))
    content = (*_SPAN, *dimension.history) if dimension.history else ()
    parts: dict[str, sql.Composable] = {
        "dimension": of.dimension(name),
        "versions": _versions(name),
        "touched": touched(name),
        "moved": moved(name),
        "member_same": same(dimension.key, "d", "t"),
        "same": same(identity, "d", "v"),
        "columns": listed((*identity, *content)),
        "identity": listed(identity),
        "later": sql.SQL("AND d.valid_from >= t._since" if dimension.history else ""),
        "held": listed((*identity, *(("valid_to",) if dimension.history else ())), "d"),
    }
    run(connection, "ANALYZE {versions}", **parts)
    run(connection, "CREATE TEMP TABLE {moved} ON COMMIT DROP AS SELECT {held} FROM {dimension} d WHERE FALSE", **parts)
    run(
        connection,
        "WITH taken AS (DELETE FROM {dimension} d USING {touched} t WHERE {member_same} {later}"
        " AND NOT EXISTS (SELECT FROM {versions} v WHERE {same}) RETURNING {held})"
        " INSERT INTO {moved} SELECT * FROM taken",
        **parts,
    )
    if content:
        run(
            connection,
            "UPDATE {dimension} d SET {assigned} FROM {versions} v WHERE {same} AND {differ}",
            assigned=assigned(content, "v"),
            differ=differ(content, "d", "v"),
            **parts,
        )
    run(
        connection,
        "WITH made AS (INSERT INTO {dimension} AS d ({columns}) SELECT {columns} FROM {versions} v"
        " WHERE NOT EXISTS (SELECT FROM {dimension} d WHERE {same}) ORDER BY {identity} RETURNING {held})"
        " INSERT INTO {moved} SELECT * FROM made",
        **parts,
    )
    run(connection, "ANALYZE {moved}", **parts)


def _correct(connection: Connection, of: StarTables, name: str, dimension: Dimension, column: str) -> None:
    """Give every version of the touched members the last known value of a column.

    Where none is known so far, none was told before `_since`, and older rows need no look.
    """
    run(
        connection,
        """
        WITH m AS (
            SELECT {key}, _since, bool_or({column} IS NOT NULL) AS _known
            FROM {dimension} JOIN {touched} USING ({key}) GROUP BY {key}, _since
        ), told AS MATERIALIZED ( -- once a member, not once a version
            SELECT {m_key}, (
                SELECT o.{column} FROM {observed} o
                WHERE {observed_same} AND o.{column} IS NOT NULL
                    AND o.event_timestamp >= CASE WHEN m._known THEN '-infinity' ELSE m._since END
                ORDER BY o.event_timestamp DESC, o.row_key DESC LIMIT 1
            ) AS {column} FROM m
        )
        UPDATE {dimension} d SET {column} = told.{column} FROM told
        WHERE {member_same} AND d.{column} IS DISTINCT FROM told.{column}
        """,
        dimension=of.dimension(name),
        touched=touched(name),
        observed=of.observed,
        column=sql.Identifier(column),
        key=listed(dimension.key),
        m_key=listed(dimension.key, "m"),
        observed_same=same(dimension.key, "o", "m"),
        member_same=same(dimension.key, "d", "told"),
    )


def _versions(dimension: str) -> sql.Identifier:
    return sql.Identifier(f"versions_{dimension}")
