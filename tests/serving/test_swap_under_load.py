"""While champions change, many threads ask: each answer is of one package, whole, and none is refused."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic_core import to_json

from millrace.domain.package import GOLDEN, content_hash
from millrace.domain.scoring import Scorer
from millrace.domain.verification import verified_package
from serving.answers import Prediction, Refused, predict_many, predict_one, told_together
from serving.bodies import JSON, many_rows
from serving.champion import InForce
from serving.warm_up import warm_up
from tests.serving.world import World, package

SWAPS, ASKING = 12, 4
SEEDS = (1, 2, 3)


def expected() -> dict[str, list[float]]:
    """Content hash → the probabilities that its package gives the asked rows."""
    told = {}
    for seed in SEEDS:
        files = package("diabetes", seed=seed)
        scores = Scorer(verified_package(files, content_hash(files))).score_rows(asked_rows())
        told[content_hash(files)] = [score.probability for score in scores]
    return told


def asked_rows() -> list[dict[str, object]]:
    return [golden["row"] for golden in json.loads(package("diabetes")[GOLDEN])][:20]


def test_every_answer_comes_from_one_package_whole() -> None:
    world, body, right = World(), to_json({"rows": asked_rows()}), expected()
    assert len({tuple(told) for told in right.values()}) == len(SEEDS), "the packages answer differently"
    watch = world.watch()
    world.deploy("diabetes", package("diabetes"), version=1)
    watch.look()
    stop = threading.Event()

    def ask() -> list[tuple[int, str, list[float]]]:
        answers = []
        while not stop.is_set():
            served = watch.in_force["diabetes"]
            told = json.loads(to_json(told_together(served, predict_many(served, many_rows(JSON, body), explain=True))))
            probabilities = [one["probability"] for one in told["predictions"]]
            answers.append((told["model"]["version"], told["model"]["content_hash"], probabilities))
        return answers

    def swap() -> None:
        try:
            for version in range(2, SWAPS + 2):
                world.deploy("diabetes", package("diabetes", seed=SEEDS[version % 3]), version=version)
                watch.look()
        finally:
            stop.set()

    with ThreadPoolExecutor(ASKING + 1) as pool:
        asking = [pool.submit(ask) for _ in range(ASKING)]
        pool.submit(swap).result()
        answers = [one for each in asking for one in each.result()]
    contents = {1: content_hash(package("diabetes"))}
    contents |= {v: content_hash(package("diabetes", seed=SEEDS[v % 3])) for v in range(2, SWAPS + 2)}
    assert len({version for version, _, _ in answers}) > SWAPS // 2, "it was asked while they changed"
    for version, content, probabilities in answers:
        assert content == contents[version]
        assert probabilities == pytest.approx(right[content], abs=1e-9)


def test_a_package_is_warm_before_it_is_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    """One row and all of them, in each shape that callers send, while the one from before still answers."""
    world = World()
    seen: list[tuple[int, int, int]] = []
    """Version that is warmed up, rows, version in force."""
    watch = world.watch()
    world.deploy("diabetes", package("diabetes"), version=1)
    watch.look()

    def in_force_meanwhile() -> int:
        return watch.in_force["diabetes"].champion.version

    def one(served: InForce, sent: dict[str, Any], *, explain: bool) -> Prediction:
        seen.append((served.champion.version, 1, in_force_meanwhile()))
        return predict_one(served, sent, explain=explain)

    def many(served: InForce, sent: list[Any], *, explain: bool) -> list[Prediction | Refused]:
        seen.append((served.champion.version, len(sent), in_force_meanwhile()))
        return predict_many(served, sent, explain=explain)

    monkeypatch.setattr("serving.warm_up.predict_one", one)
    monkeypatch.setattr("serving.warm_up.predict_many", many)
    world.deploy("diabetes", package("diabetes", seed=2), version=2)
    watch.look()
    golden = len(json.loads(package("diabetes", seed=2)[GOLDEN]))
    assert seen == [(2, 1, 1)] * golden + [(2, golden, 1)]
    assert watch.in_force["diabetes"].champion.version == 2


def test_a_package_that_refuses_its_own_golden_rows_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    watch = world.watch()
    world.deploy("diabetes", package("diabetes"), version=1)
    watch.look()
    strict = watch.in_force["diabetes"].request
    monkeypatch.setattr("serving.champion.request_model", lambda _: strict)
    world.deploy("loan", package("loan"))
    watch.look()
    assert set(watch.in_force) == {"diabetes"}
    assert "refuses its own golden rows" in watch.behind["loan"].why
    warm_up(watch.in_force["diabetes"])
