"""The pace of whoever plays the outside world."""

import time


class Pace:
    """So many rows a second, however long single ones take."""

    def __init__(self, rate: float) -> None:
        self.rate, self.rows, self.begun = rate, 0, time.monotonic()

    def is_due(self) -> bool:
        """Whether the next rows are due; waits a moment where they are not."""
        wait = self.begun + self.rows / self.rate - time.monotonic()
        if wait > 0:
            time.sleep(min(wait, 0.2))
        return wait <= 0
