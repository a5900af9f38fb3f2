"""The section `topic`: what it derives, what it refuses, and that it decides neither rows nor packages."""

from pathlib import Path

import pytest

from millrace.contract.loading import InvalidProblemError, load_problem, load_problems
from tests.contract.minimal import MINIMAL
from tests.contract.test_changes import FOLLOWED, write

SENT = MINIMAL.replace(
    "    assigned_time: file_modified\n", "    assigned_time: file_modified\n    topic: {name: crm.people}\n"
)


def test_a_name_alone_takes_every_default(tmp_path: Path) -> None:
    problem = load_problem(write(tmp_path, SENT))
    topic = problem.source.topic
    assert topic is not None
    assert (topic.name, topic.format, topic.partitions) == ("crm.people", "json", 1)
    assert (topic.rows, topic.seconds, topic.max_rows, topic.retry_seconds) == (1000, 30, 500_000, 600)
    assert problem.topics == {"crm.people": topic}
    assert problem.format_of("crm.people") == "json"
    assert "ingest_changes" in problem.stages


def test_one_source_may_have_files_changes_and_a_topic(tmp_path: Path) -> None:
    text = FOLLOWED.replace("changes: {}", "changes: {rows: 7}\n    topic: {name: crm.people, format: json_envelope}")
    problem = load_problem(write(tmp_path, text))
    assert {name: intake.rows for name, intake in problem.topics.items()} == {
        "churn.public.customers": 7,
        "crm.people": 1000,
    }
    assert problem.format_of("churn.public.customers") is None
    assert problem.format_of("crm.people") == "json_envelope"


def test_changes_may_come_by_the_topic_of_another_connector_but_not_beside_ours(tmp_path: Path) -> None:
    text = FOLLOWED.replace("changes: {}", "topic: {name: crm.people, format: debezium, allow_truncate: true}")
    problem = load_problem(write(tmp_path, text))
    assert problem.format_of("crm.people") is None
    assert problem.is_of_others("crm.people")
    assert problem.change_table is None
    with pytest.raises(InvalidProblemError, match="cannot stand beside changes"):
        load_problem(write(tmp_path, text.replace("    topic:", "    changes: {}\n    topic:")))
    with pytest.raises(InvalidProblemError, match="partitions cannot be said of format debezium"):
        load_problem(write(tmp_path, text.replace("allow_truncate: true", "partitions: 2")))


def test_without_a_topic_there_is_nothing_to_ingest_from(tmp_path: Path) -> None:
    problem = load_problem(write(tmp_path, MINIMAL))
    assert problem.topics == {}
    assert "ingest_changes" not in problem.stages


def test_the_way_by_which_rows_come_changes_neither_hash_nor_package(tmp_path: Path) -> None:
    by_files, sent = load_problem(write(tmp_path, MINIMAL)), load_problem(write(tmp_path, SENT))
    assert sent.contract_hash() == by_files.contract_hash()
    assert sent.gold_hash() == by_files.gold_hash()
    assert sent.model_dump_json() == by_files.model_dump_json()


@pytest.mark.parametrize(
    ("replaced", "said"),
    [
        ("topic: {}", "Missing key 'name'"),
        ("topic: crm.people", "keys and values"),
        ("topic: {name: crm.people, formt: json}", 'did you mean "format"?'),
        ("topic: {name: crm.people, format: jsn}", 'did you mean "json"?'),
        (
            "topic: {name: crm.people, format: debezium}",
            "topic of format debezium needs primary_key and event_timestamp",
        ),
        ("topic: {name: crm.people, allow_truncate: true}", "allow_truncate is said of format debezium"),
        ("topic: {name: crm people}", "pattern"),
        ("topic: {name: _internal}", "pattern"),
        ("topic: {name: crm.people, partitions: 0}", "greater than or equal to 1"),
        ("topic: {name: crm.people, max_rows: 0}", "greater than or equal to 1"),
        ("topic: {name: churn.public.customers}", "begins with churn. as the topics of the problem's own connector do"),
    ],
)
def test_what_cannot_be_taken_in_is_refused_with_its_line(tmp_path: Path, replaced: str, said: str) -> None:
    path = write(tmp_path, SENT.replace("topic: {name: crm.people}", replaced))
    with pytest.raises(InvalidProblemError) as caught:
        load_problem(path)
    assert said in str(caught.value)
    assert f"{path}:" in str(caught.value)


@pytest.mark.parametrize("topic", ["crm.people", "again.public.people"])
def test_one_topic_is_taken_in_by_one_problem(tmp_path: Path, topic: str) -> None:
    write(tmp_path, SENT.replace("crm.people", topic))
    other = FOLLOWED.replace("problem: churn", "problem: again").replace("customers:", "people:")
    write(tmp_path, other.replace("changes: {}", "changes: {}\n    topic: {name: crm.people}"), "again")
    problems, errors = load_problems(tmp_path)
    assert list(problems) == ["again"]
    assert f"topic {topic} is already taken in by problem again" in str(errors[0])
