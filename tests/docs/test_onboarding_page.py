"""What `docs/how-to/onboard-a-file.md` shows is what `millrace new` says: no stack is needed until the file lands."""

from pathlib import Path

from millrace.contract.loading import load_problem
from millrace.settings import ROOT
from tests.journeys.reader import reader_of

PAGE = ROOT / "docs" / "how-to" / "onboard-a-file.md"


def test_the_page_tells_what_the_commands_say(tmp_path: Path) -> None:
    own = {"MILLRACE_PROBLEMS_DIR": str(tmp_path), "MILLRACE_HOME": str(tmp_path / "home")}
    reader = reader_of(PAGE, {}, tmp_path, own)
    reader.run("make-a-file")
    said = reader.run("draft")
    assert one_line(reader.blocks["told"]) in one_line(said)
    problem_file = tmp_path / "returns.yaml"
    reader.edit("edit", problem_file)
    problem = load_problem(problem_file)
    assert list(problem.request_columns()) == ["Country", "Basket_EUR", "Items", "Weight_g"]
    assert "<svg" in (tmp_path / "home" / "profiles" / "returns.html").read_text(encoding="utf-8")


def one_line(text: str) -> str:
    """Text without its line ends: where a line is folded depends on the width of the terminal."""
    return " ".join(text.split())
