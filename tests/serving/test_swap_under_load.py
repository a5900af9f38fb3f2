"""While champions change, many threads ask: each answer is of one package, whole, and none is refused."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic_core import to_json

from millrace.domain.package import GOLDEN, content_hash
from millrace.domain.scoring import Scorer
from millrace.domain.verification import verified_package
from serving.answers import answer
from serving.champion import Watch
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
            told = json.loads(answer(watch.in_force["diabetes"], body)[0])
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
    world, seen = World(), []
    watch = world.watch()
    world.deploy("diabetes", package("diabetes"), version=1)
    watch.look()

    def noting(watch: Watch) -> None:
        def answered(served: object, body: bytes) -> tuple[bytes, int]:
            content, rows = answer(served, body)  # type: ignore[arg-type]
            seen.append((rows, watch.in_force["diabetes"].champion.version))
            return content, rows

        monkeypatch.setattr("serving.warm_up.answer", answered)

    noting(watch)
    world.deploy("diabetes", package("diabetes", seed=2), version=2)
    watch.look()
    golden = len(json.loads(package("diabetes", seed=2)[GOLDEN]))
    assert seen == [(1, 1)] * golden + [(golden, 1)]
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
