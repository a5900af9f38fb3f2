"""A signal that nobody hears is sent again, and a command that waits ends. Needs no stack."""

from collections.abc import Callable

import pytest

from millrace.adapters import keeper_report, source_database
from millrace.adapters.snapshot_news import News
from millrace.contract.errors import MillraceError
from millrace.steps import resnapshot
from tests.steps.transforming import problem_named


class Connector:
    """One that hears from a signal on, and then tells of it."""

    def __init__(self, *, hears: Callable[[int], bool], kinds: tuple[str, ...]) -> None:
        self.sent: list[str] = []
        self.told: list[News] = []
        self.hears, self.kinds = hears, kinds

    def ask_snapshot(self, _problem: str, _table: str) -> str:
        self.sent.append(f"signal-{len(self.sent) + 1}")
        if self.hears(len(self.sent)):
            self.told += [News(self.sent[-1], False, kind, 5, None) for kind in self.kinds]
        return self.sent[-1]

    def look(self) -> list[News]:
        return self.told

    topic = "orders.notifications"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEARD_SECONDS", "SILENCE_SECONDS"):
        monkeypatch.setattr(resnapshot, name, 0.02)
    monkeypatch.setattr(resnapshot, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(keeper_report, "missing", lambda _problem: "FAILED: permission denied")


def run(monkeypatch: pytest.MonkeyPatch, connector: Connector) -> tuple[int | None, list[str]]:
    monkeypatch.setattr(source_database, "ask_snapshot", connector.ask_snapshot)
    said: list[str] = []
    problem = problem_named("signals")
    ours = resnapshot._heard(problem, connector, said.append)  # type: ignore[arg-type]
    return resnapshot._every_row(problem, connector, ours, said.append), said  # type: ignore[arg-type]


def test_a_signal_that_was_lost_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    connector = Connector(hears=lambda sent: sent == 3, kinds=("STARTED", "TABLE_SCAN_COMPLETED", "COMPLETED"))
    rows, said = run(monkeypatch, connector)
    assert (rows, len(connector.sent)) == (5, 3)
    assert "a signal was sent, number 3: none was heard yet" in said


def test_one_that_is_never_heard_names_what_the_connector_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    connector = Connector(hears=lambda _sent: False, kinds=())
    with pytest.raises(MillraceError, match="hears no signal") as error:
        run(monkeypatch, connector)
    assert len(connector.sent) == resnapshot.SIGNALS
    assert error.value.found == "FAILED: permission denied"


def test_a_snapshot_that_stands_still_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    connector = Connector(hears=lambda sent: sent == 1, kinds=("STARTED", "IN_PROGRESS"))
    with pytest.raises(MillraceError, match="stands still"):
        run(monkeypatch, connector)


def test_anothers_snapshot_is_not_taken_for_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    connector = Connector(hears=lambda sent: sent == 1, kinds=("STARTED",))
    connector.told.append(News("elsewhere", False, "COMPLETED", 9, None))
    with pytest.raises(MillraceError, match="stands still"):
        run(monkeypatch, connector)
