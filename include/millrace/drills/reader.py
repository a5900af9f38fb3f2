"""Someone who looks at gold and at the warehouse again and again while a drill runs, and what he saw."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event

from millrace.contract.problem import Problem
from millrace.drills.content import gold_content, warehouse_content
from millrace.drills.telling import Telling

LOOK_SECONDS = 1.0
LAYERS: dict[str, Callable[[Problem], str]] = {"gold": gold_content, "warehouse": warehouse_content}


@dataclass
class Seen:
    """What a reader saw: layer → fingerprint → how often. `unanswered`: looks that failed, by layer."""

    contents: dict[str, dict[str, int]] = field(default_factory=lambda: {layer: {} for layer in LAYERS})
    unanswered: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LAYERS, 0))

    def note(self, layer: str, content: str) -> None:
        self.contents[layer][content] = self.contents[layer].get(content, 0) + 1

    def others_than(self, audited: list[dict[str, str]]) -> int:
        """How often something else was seen than one of these contents (layer → fingerprint)."""
        return sum(
            times
            for layer, contents in self.contents.items()
            for content, times in contents.items()
            if content not in {each[layer] for each in audited}
        )


@contextmanager
def a_reader(problem: Problem) -> Iterator[Seen]:
    """Let one look while the block runs."""
    seen, over = Seen(), Event()

    def look() -> None:
        while not over.is_set():
            for layer, content_of in LAYERS.items():
                try:
                    seen.note(layer, content_of(problem))
                except Exception:  # noqa: BLE001 - which error depends on what the drill has broken at this moment
                    seen.unanswered[layer] += 1
            over.wait(LOOK_SECONDS)

    with ThreadPoolExecutor(1, "reader") as pool:
        looking = pool.submit(look)
        try:
            yield seen
        finally:
            over.set()
            looking.result()


def tell_what_was_seen(telling: Telling, seen: Seen, audited: list[dict[str, str]], words: str) -> None:
    """Tell how often the reader looked, and judge that he saw audited contents only.

    Args:
        audited: Contents (layer → fingerprint) of which each may have been seen.
        words: What they are, such as `the good files, whole or not at all`.
    """
    looks = {layer: sum(contents.values()) for layer, contents in seen.contents.items()}
    times = " and ".join(f"{looks[layer]} times at {layer}" for layer in LAYERS)
    if failed := {layer: count for layer, count in seen.unanswered.items() if count}:
        times += "; no answer came " + " and ".join(f"{count} times from {layer}" for layer, count in failed.items())
    others = seen.others_than(audited)
    enough = all(looks.values())
    what = words if not others else f"{others} times something else than {words}"
    telling.found(enough and not others, f"a reader looked {times}, and saw {what}")


def tell_equal(telling: Telling, found: dict[str, str], expected: dict[str, str]) -> None:
    """Judge that every layer equals that of a twin which nobody disturbed.

    Args:
        found: The fingerprints of the problem that was disturbed, by layer.
        expected: The twin's.
    """
    wrong = [layer for layer in expected if found[layer] != expected[layer]]
    words = ", ".join(wrong) + " differ from" if wrong else ", ".join(expected) + " equal"
    telling.found(not wrong, f"{words} those of the undisturbed twin, to the last value")
