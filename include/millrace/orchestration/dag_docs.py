"""The page that Airflow shows for a DAG, written from the problem's own facts."""

from millrace.contract import names
from millrace.contract.constraints import RAW_PATTERNS
from millrace.contract.problem import Problem
from millrace.contract.source import Column
from millrace.contract.star import star_tables

WHAT = {
    "extract": (
        "What is new in the source database's table `{extracted}` since the last extract lands as a Parquet file under "
        "`{landing}` in the landing bucket, and goes the way of files from there. Rows that were deleted are not seen."
    ),
    "ingest_files": (
        "New files under `{landing}` in the landing bucket become rows of `{bronze}`. A file that cannot be read as a "
        "whole is set aside and named; the others go on."
    ),
    "ingest_changes": (
        "{messages} become rows of `{changes}`: from the offsets that its newest commit recorded, up to the first "
        "transaction that is still open. A message that cannot be read is kept with the reason, and stops nothing."
    ),
    "transform": (
        "New rows of `{bronze}` are typed and checked row by row: valid ones are merged into `{silver}`, broken ones "
        "go to `{quarantine}` with all their reasons. A checkpoint judges silver, then gold, before readers see them; "
        "`{gold}` is then loaded into the warehouse table `{serving}`."
    ),
    "train": (
        "`{gold}` is tagged, searched with Ray Tune ({trials} trials), the best configuration is fitted, judged on a "
        "holdout that no fit has seen, registered in MLflow, and put before the gate."
    ),
    "deploy": (
        "A candidate that passed the gate is verified in a clean process, becomes the champion, and must answer "
        "rightly from every replica; otherwise the old champion is put back."
    ),
}
BY_HAND = {
    "extract": "`full`: read every row, whatever was landed before.",
    "ingest_files": "`keys`: ingest these objects only. `wait`: wait for a new file instead of ending.",
    "ingest_changes": "`wait`: wait for messages instead of ending.",
    "transform": "No parameters: it continues from what was recorded.",
    "train": "`force`: train even if nothing asks for it.",
    "deploy": "`version`: the registered version to deploy; default: the newest that passed the gate.",
}


def dag_doc(problem: Problem, stage: str) -> str:
    """Markdown: what the DAG does, how to start it by hand, and what the problem is."""
    source = problem.source_name
    facts = {
        "landing": problem.landing_prefix,
        "bronze": names.bronze_files(source),
        "changes": names.bronze_changes(source),
        "messages": _messages(problem),
        "extracted": problem.extract_table,
        "silver": names.silver(source),
        "quarantine": names.quarantine(source),
        "gold": names.gold(problem.problem),
        "serving": names.serving_table(problem.problem),
        "trials": problem.training.trials,
    }
    columns = "\n".join(_row(name, column) for name, column in problem.columns().items())
    return (
        f"### {names.dag_title(problem.title, stage)}\n{problem.description}\n\n"
        f"{_what(problem, stage).format(**facts)}\n\n"
        f"**By hand:** {BY_HAND[stage]}\n\n"
        f"**Defined in** `include/problems/{problem.problem}.yaml`; owner {problem.owner}; "
        f"the label is yes where {problem.label.in_words()}.\n\n"
        f"| column | type | unit | valid values | |\n|---|---|---|---|---|\n{columns}\n"
    )


def _messages(problem: Problem) -> str:
    """What waits in the topics, in words."""
    table, topic = problem.change_table, problem.source.topic
    brought = f"which Debezium brings to the topic `{problem.change_topic}`"
    found = [f"committed changes of the source database's table `{table}`, {brought},"] if table else []
    sent = "changes that another connector sends" if topic and topic.brings_changes else "rows that producers send"
    found += [f"{sent} to the topic `{topic.name}`"] if topic else []
    words = " and ".join(found)
    return words[:1].upper() + words[1:]


def _what(problem: Problem, stage: str) -> str:
    if stage != "transform" or problem.warehouse is None:
        return WHAT[stage]
    tables = ", ".join(f"`warehouse.{table}`" for table in star_tables(problem.warehouse))
    return f"{WHAT[stage]} `{{silver}}` also becomes the star schema: {tables}."


def _row(name: str, column: Column) -> str:
    notes = ", ".join(
        word
        for word, said in (
            ("may be missing", column.nullable),
            ("sensitive", column.sensitive),
        )
        if said
    )
    return f"| {name} | {column.type} | {column.unit} | {_valid_values(column)} | {notes} |"


def _valid_values(column: Column) -> str:
    if column.allowed is not None:
        return ", ".join(str(value) for value in column.allowed)
    if column.pattern is not None:
        return f"`{column.pattern}`"
    if column.min is None and column.max is None:
        return "" if column.type in RAW_PATTERNS else "any text"
    low = "" if column.min is None else f"{column.min:g} ≤ "
    high = "" if column.max is None else f" ≤ {column.max:g}"
    return f"{low}value{high}"
