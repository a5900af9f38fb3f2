"""Moves of the champion that put back what was, because the version before proved bad in service."""

from collections.abc import Sequence

from millrace.adapters.champions import Champion


def undoing(version: int, reason: str) -> str:
    """Why the champion before `version` is in force again."""
    return f"version {version} is undone: {reason}"


def undone(history: Sequence[Champion]) -> set[int]:
    """The generations that were undone.

    Args:
        history: Every champion that the problem had.
    """
    led = {one.generation: one for one in history}
    return {
        one.replaces
        for one in history
        if one.replaces in led and one.reason.startswith(undoing(led[one.replaces].version, ""))
    }
