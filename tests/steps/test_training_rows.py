"""What rows a model is made of, and which it cannot be made of."""

import pyarrow as pa
import pytest

from millrace.contract.errors import MillraceError
from millrace.domain.splitting import HOLDOUT, TRAIN
from millrace.steps.training_rows import labelled_rows
from tests.steps.labelled_gold import drawn_gold, gold_of, shipped

DIABETES, LOAN = shipped("diabetes"), shipped("loan")


def with_labels(gold: pa.Table, labels: list[int | None]) -> pa.Table:
    return gold.set_column(gold.column_names.index("label"), "label", pa.array(labels, pa.int32()))


def refusal(gold: pa.Table) -> str:
    with pytest.raises(MillraceError, match="No model can be trained") as caught:
        labelled_rows(DIABETES, gold)
    return str(caught.value)


def test_rows_without_a_label_are_left_out() -> None:
    gold = drawn_gold(DIABETES)
    labels = gold["label"].to_pylist()
    rows = labelled_rows(DIABETES, with_labels(gold, [None] * 100 + labels[100:]))
    assert len(rows.keys) == 300
    assert rows.counts()["labelled_rows"] == 300


def test_the_order_of_the_files_does_not_matter() -> None:
    gold = drawn_gold(DIABETES)
    turned = gold.take(list(range(gold.num_rows))[::-1])
    one, other = labelled_rows(DIABETES, gold), labelled_rows(DIABETES, turned)
    assert one.keys == other.keys
    assert one.folds.tolist() == other.folds.tolist()
    assert one.columns["Glucose"].tolist() == other.columns["Glucose"].tolist()


def test_no_label_at_all() -> None:
    gold = drawn_gold(DIABETES)
    assert "0 labelled rows of 400" in refusal(with_labels(gold, [None] * 400))


def test_too_few_rows() -> None:
    assert "49 labelled rows" in refusal(drawn_gold(DIABETES).slice(0, 49))


@pytest.mark.parametrize("only", [0, 1])
def test_one_class_only(only: int) -> None:
    told = refusal(with_labels(drawn_gold(DIABETES), [only] * 400))
    assert "positive and" in told
    assert "label.positive" in told


def test_rows_of_an_override_are_judged_but_not_learned_from() -> None:
    row = {name: column.allowed[0] if column.allowed else 1 for name, column in LOAN.gold_columns().items()}
    told = [{**row, "previous_loan_defaults_on_file": "Yes" if n % 2 else "No"} for n in range(400)]
    rows = labelled_rows(LOAN, gold_of(LOAN, told, [0 if n % 2 else n % 4 // 2 for n in range(400)]))
    assert rows.counts()["override_rows"] == 200
    assert rows.fold(TRAIN).own.all()
    assert 0 < rows.fold(HOLDOUT).own.sum() < len(rows.fold(HOLDOUT).keys)
