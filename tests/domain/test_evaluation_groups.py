"""Groups: bands, values and missing ones; how far each is behind all rows."""

import numpy as np

from millrace.contract.modelling import GroupLimit
from millrace.domain.evaluation import by_group, groups


def test_bands_hold_their_lower_edge() -> None:
    limit = GroupLimit(column="age", edges=(45, 30), max_gap=0.1)
    told = {name: member.tolist() for name, member in groups(limit, {"age": np.array([29.9, 30, 44.9, 45, np.nan])})}
    assert told == {
        "below 30": [True, False, False, False, False],
        "30 to 45": [False, True, True, False, False],
        "45 and above": [False, False, False, True, False],
    }


def test_each_value_is_a_group_and_so_is_a_missing_one() -> None:
    limit = GroupLimit(column="g", max_gap=0.1)
    values = np.array(["b", None, "a", "b"], dtype=object)
    assert [(name, int(member.sum())) for name, member in groups(limit, {"g": values})] == [
        ("(missing)", 1),
        ("a", 1),
        ("b", 2),
    ]


def test_a_group_that_is_served_worse_has_a_gap_and_a_small_one_is_not_judged() -> None:
    labels = np.array([0, 1] * 50 + [1, 0] * 10 + [1], dtype=np.int8)
    probabilities = np.array([0.1, 0.9] * 50 + [0.4, 0.6] * 10 + [0.5])
    column = np.array(["well"] * 100 + ["badly"] * 20 + ["few"], dtype=object)
    limit = GroupLimit(column="g", metric="brier", max_gap=0.1, min_rows=10)
    told = {one.group: one for one in by_group(limit, labels, probabilities, {"g": column}, threshold=0.5)}
    assert told["badly"].gap is not None
    assert told["badly"].gap > 0.1
    assert told["well"].gap is not None
    assert told["well"].gap < 0
    assert not told["few"].judged
    assert told["few"].rows == 1


def test_auc_of_a_group_with_one_class_is_undefined_and_not_judged() -> None:
    limit = GroupLimit(column="g", metric="auc", max_gap=0.1, min_rows=10)
    column = np.array(["one"] * 20 + ["two"] * 20, dtype=object)
    labels = np.array([1] * 20 + [0, 1] * 10, dtype=np.int8)
    told = by_group(limit, labels, np.linspace(0, 1, 40), {"g": column}, threshold=0.5)
    assert (told[0].value, told[0].judged) == (None, False)
    assert told[1].judged
