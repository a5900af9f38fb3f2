"""The drift check itself: it is silent on this clone, and tells what is wrong where something is."""

from pathlib import Path

import pytest

from docs.drift import named
from docs.drift.__main__ import main
from docs.drift.generated import generated, stale
from docs.drift.problem_page import PARTS


def test_pages_and_code_agree(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0, capsys.readouterr().err


def test_every_key_of_a_problem_file_has_its_meaning() -> None:
    silent = [
        f"{model.__name__}.{name}"
        for model in PARTS
        for name, field in model.model_fields.items()
        if not field.description and name != "kind"
    ]
    assert silent == []


def test_every_model_of_the_contract_is_on_the_page() -> None:
    page = generated()[Path("docs/reference/problem.md")]
    assert "](#" in page
    for target in {part.split(")")[0] for part in page.split("](#")[1:]}:
        assert target in named.anchors(page), f"no heading for {target}"


def test_a_stale_page_is_named_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("docs.drift.generated.ROOT", tmp_path)
    assert any("docs/reference/cli.md" in line and "make docs" in line for line in stale())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[here](nowhere.md)", "nowhere.md leads nowhere"),
        ("[here](#there)", "no heading has the anchor there"),
        ("Call `make tea`.", "there is no such target"),
        ("Call `.venv/bin/millrace lnt`.", 'did you mean "lint"'),
        ("```sh\nmillrace simulate churn --row 4\n```", 'did you mean "--rows"'),
        ("See `include/millrace/nothing.py`.", "there is no include/millrace/nothing.py"),
        ("See `infra/*.pyx`.", "no file is like infra/*.pyx"),
    ],
)
def test_what_a_page_names_must_exist(text: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "ROOT", tmp_path)
    (tmp_path / "page.md").write_text(f"# Page\n\nfirst\n\n{text}\n")
    (found,) = list(named.wrong_names(Path("page.md")))
    assert told in found
    assert found.startswith("page.md:")


def test_what_exists_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "ROOT", tmp_path)
    (tmp_path / "page.md").write_text(
        "# A page\n\n[up](#a-page) and `make up`, `millrace lint`, `docs/<name>.md`\n\n"
        "```sh\nmillrace simulate churn --rows 4  # `make tea`\n```\n"
    )
    assert list(named.wrong_names(Path("page.md"))) == []
