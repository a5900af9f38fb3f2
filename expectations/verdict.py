"""What a check found, as plain data: rules, observed values, limits. Never a value of a row."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from millrace.contract.errors import VerdictError


@dataclass(frozen=True)
class Finding:
    """One rule, held or broken. `observed` and `limit` are text or numbers that a person can compare."""

    rule: str
    column: str | None
    observed: str | float
    limit: str | float
    passed: bool


@dataclass(frozen=True)
class Verdict:
    """All findings of one check."""

    stage: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        return all(finding.passed for finding in self.findings)

    @property
    def broken(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if not finding.passed)

    def and_also(self, findings: Sequence[Finding]) -> "Verdict":
        """The verdict with findings that came from elsewhere, such as limits of the batch."""
        return Verdict(self.stage, (*self.findings, *findings))

    def as_json(self) -> dict[str, Any]:
        return {"stage": self.stage, "passed": self.passed, "findings": [asdict(finding) for finding in self.findings]}


def refusal(verdict: Verdict, *, place: str, fix: str) -> VerdictError:
    """The error of a verdict that did not pass, naming every broken rule with what was observed and the limit."""
    told = "; ".join(f"{finding.rule}: {finding.observed}" for finding in verdict.broken)
    limits = "; ".join(f"{finding.rule}: {finding.limit}" for finding in verdict.broken)
    return VerdictError(
        f"The check of {verdict.stage} failed",
        place=place,
        found=told,
        expected=limits,
        fix=fix,
    )
