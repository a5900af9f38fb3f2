"""When the nemesis strikes, and at what: drawn from a seed, so that a round that went wrong can be played again."""

import random
from dataclasses import dataclass

WORKER, RIVAL = "worker", "a second worker beside it"
SERVICES = ("spark", "postgres", "minio")
TARGETS = (WORKER, WORKER, RIVAL, *SERVICES)
"""What is struck, as often as it stands here. A rival is no death: two runs are at work at once."""
MOST_STRIKES = 3


@dataclass(frozen=True)
class Strike:
    """Something that happens so many seconds after the first file has landed."""

    at_seconds: float
    target: str

    def __str__(self) -> str:
        return f"{self.target} at {self.at_seconds:.1f} s"


@dataclass(frozen=True)
class Round:
    """What is done to one round of work."""

    second_file_at_seconds: float
    strikes: tuple[Strike, ...]

    def __str__(self) -> str:
        return f"second file at {self.second_file_at_seconds:.1f} s; " + ", ".join(map(str, self.strikes))


def draw(seed: int, *, work_seconds: float) -> Round:
    """The round of a seed.

    Args:
        work_seconds: How long the work takes undisturbed; everything happens within this time.
    """
    chance = random.Random(seed)
    times = sorted(chance.uniform(0, work_seconds) for _ in range(chance.randint(1, MOST_STRIKES)))
    strikes = tuple(Strike(at, chance.choice(TARGETS)) for at in times)
    return Round(chance.uniform(0, work_seconds), strikes)
