"""What a reader saw is judged: another content than those that passed their checks breaks the promise."""

import io

import pytest
from rich.console import Console

from millrace.contract.errors import MillraceError
from millrace.drills.reader import Seen, tell_what_was_seen
from millrace.drills.run import DRILLS, list_drills, run_drill
from millrace.drills.telling import Telling

BEFORE = {"gold": "g1", "warehouse": "w1"}
AFTER = {"gold": "g2", "warehouse": "w2"}


@pytest.fixture
def told() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def telling(told: io.StringIO) -> Telling:
    return Telling(Console(file=told, width=200))


def a_reader_of(*contents: dict[str, str]) -> Seen:
    seen = Seen()
    for content in contents:
        for layer, fingerprint in content.items():
            seen.note(layer, fingerprint)
    return seen


def test_a_reader_of_audited_contents_keeps_the_promise(telling: Telling, told: io.StringIO) -> None:
    tell_what_was_seen(telling, a_reader_of(BEFORE, BEFORE, AFTER), [BEFORE, AFTER], "one of both")
    assert telling.held
    assert "looked 3 times at gold and 3 times at warehouse, and saw one of both" in told.getvalue()


@pytest.mark.parametrize("layer", ["gold", "warehouse"])
def test_one_look_at_anything_else_breaks_it(layer: str, telling: Telling, told: io.StringIO) -> None:
    seen = a_reader_of(BEFORE, AFTER | {layer: "half"}, AFTER)
    tell_what_was_seen(telling, seen, [BEFORE, AFTER], "one of both")
    assert not telling.held
    assert "1 times something else than one of both" in told.getvalue()


def test_a_reader_who_never_got_an_answer_proves_nothing(telling: Telling) -> None:
    seen = Seen()
    seen.unanswered["gold"] += 3
    tell_what_was_seen(telling, seen, [BEFORE], "the tables")
    assert not telling.held


def test_a_broken_promise_is_not_mended_by_a_later_one(telling: Telling) -> None:
    telling.found(False, "the first")
    telling.found(True, "the second")
    assert not telling.held


def test_waiting_in_vain_says_what_is_behind(telling: Telling) -> None:
    with pytest.raises(MillraceError) as error:
        telling.wait("the file is there", lambda: None, seconds=0, pending=lambda: "one file is pending")
    assert "in vain until the file is there" in str(error.value)
    assert "one file is pending" in error.value.found


def test_without_a_name_each_drill_is_listed(told: io.StringIO) -> None:
    list_drills(Console(file=told, width=300))
    for name, drill in DRILLS.items():
        assert name in told.getvalue()
        assert drill.fault in told.getvalue()


def test_an_unknown_drill_is_told_with_what_is_close(told: io.StringIO) -> None:
    with pytest.raises(MillraceError, match="no drill") as error:
        run_drill("bad-bach", Console(file=told))
    assert error.value.fix == 'did you mean "bad-batch"?'
