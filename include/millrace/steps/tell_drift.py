"""Tells what the newest messages of a producer have that the contract does not; once a run, and it stops nothing."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from millrace.contract.problem import Problem
from millrace.domain.message_fields import drift

log = logging.getLogger(__name__)


def tell_drift(problem: Problem, topic: str, rows: Sequence[Mapping[str, Any]]) -> None:
    found = drift(problem.source, rows)
    if found.unknown:
        words = "Some of the newest %d messages of %s have fields that the contract does not know, kept there: %s"
        log.warning(words, len(rows), topic, _in_words(found.unknown))
    if found.nested:
        words = "Some of the newest %d messages of %s have an object or a list where a plain value belongs: %s"
        log.warning(words, len(rows), topic, _in_words(found.nested))


def _in_words(fields: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in fields.items())
