"""What a drill is."""

from collections.abc import Callable
from dataclasses import dataclass

from millrace.drills.scene import Scene


@dataclass(frozen=True)
class Drill:
    """One fault, put into the running stack.

    Attributes:
        fault: What is broken, a line for the list of drills.
        promise: What holds all the same.
        disturbs: Who else on the stack notices it; empty: nobody.
        strikes: The service that it kills, stops or restarts; empty: none.
        run: Does it, and tells each promise as held or broken.
    """

    fault: str
    promise: str
    disturbs: str
    run: Callable[[Scene], None]
    strikes: str = ""
