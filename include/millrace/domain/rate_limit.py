"""How much a caller may ask for: a bucket of tokens that fills up steadily, one token a row."""

import math


class TokenBucket:
    """Tokens of one caller.

    How many rows a request holds is known only when it has been read. So a request is let in while there is a whole
    token, and what it held is taken when it is known: the tokens may fall below zero by what is under way, and the next
    ones wait until that is made up for. One after the other, no more than `burst + rate * T` rows and one request are
    let in within T seconds, whenever they begin.

    Args:
        rate: Tokens a second, above 0.
        burst: The most tokens that it holds, at least 1. It begins full.
        now: Seconds on a clock that never goes back; each call tells it.
    """

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate, self.burst = rate, max(burst, 1.0)
        self._tokens, self._at = self.burst, now

    def seconds_until_next(self, now: float) -> float:
        """How long the caller has to wait before a request is let in; 0 if one is now."""
        missing = 1.0 - self._filled(now)
        return missing / self.rate if missing > 0 else 0.0

    def take(self, rows: int, now: float) -> None:
        """Take the tokens of a request that was let in."""
        self._tokens = self._filled(now) - rows

    def left(self, now: float) -> int:
        """How many rows are allowed at this moment."""
        return max(math.floor(self._filled(now)), 0)

    def _filled(self, now: float) -> float:
        if now > self._at:
            self._tokens = min(self._tokens + (now - self._at) * self.rate, self.burst)
            self._at = now
        return self._tokens
