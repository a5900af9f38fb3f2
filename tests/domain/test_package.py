"""A package is opened only whole and unchanged, and its content hash tells models apart, not their papers."""

import json

import pytest

from millrace.contract.errors import MillraceError
from millrace.contract.loading import load_problem
from millrace.domain.package import MANIFEST, content_hash, open_package, seal
from millrace.settings import ROOT
from tests.domain.sample_package import sample_package

DIABETES = load_problem(ROOT / "include" / "problems" / "diabetes.yaml")
FILES = sample_package(DIABETES)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_changed_file_is_named(name: str) -> None:
    changed = {**FILES, name: FILES[name][:-1] + b"x"}
    with pytest.raises(MillraceError) as caught:
        open_package(changed)
    assert caught.value.place == name


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_named(name: str) -> None:
    with pytest.raises(MillraceError) as caught:
        open_package({other: content for other, content in FILES.items() if other != name})
    assert caught.value.place == name


def test_an_unlisted_file_is_named() -> None:
    with pytest.raises(MillraceError) as caught:
        open_package({**FILES, "model.pkl": b"..."})
    assert caught.value.place == "model.pkl"


def test_a_manifest_rewritten_with_the_file_still_has_another_content_hash() -> None:
    manifest = json.loads(FILES[MANIFEST])
    forged = seal(
        {
            **{n: c for n, c in FILES.items() if n != MANIFEST},
            "calibration.json": b'{"kind":"platt","slope":1,"intercept":0}',
        },
        problem=manifest["problem"],
        provenance=manifest["provenance"],
    )
    assert open_package(forged).manifest.content_hash != content_hash(FILES)


def test_provenance_is_not_content() -> None:
    other = sample_package(DIABETES, provenance={"gold_tag": "another"})
    assert other[MANIFEST] != FILES[MANIFEST]
    assert content_hash(other) == content_hash(FILES)


@pytest.mark.parametrize("estimator", ["xgboost", "logistic_regression"])
def test_the_same_rows_and_configuration_give_the_same_bytes(estimator: str) -> None:
    assert sample_package(DIABETES, estimator) == sample_package(DIABETES, estimator)
    assert content_hash(sample_package(DIABETES, estimator, seed=2)) != content_hash(
        sample_package(DIABETES, estimator)
    )


@pytest.mark.parametrize("estimator", ["xgboost", "logistic_regression"])
def test_a_package_is_data_never_code(estimator: str) -> None:
    for name, content in sample_package(DIABETES, estimator).items():
        assert name.endswith((".json", ".onnx", ".ubj"))
        assert not content.startswith(b"\x80")  # what a pickle begins with
