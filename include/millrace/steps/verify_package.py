"""Step: prove a registered version in a clean process, before any replica sees it.

The process is clean because nothing is imported or cached yet, as in a replica that has just started. It is also run
by hand: `python -m millrace.steps.verify_package --problem <name> --uri <uri> --content-hash <hash>`.
"""

import argparse
import json
import subprocess
import sys
import time
from typing import Any

from millrace.adapters import champions, package_store
from millrace.contract.errors import MillraceError, VerdictError
from millrace.domain.package import GOLDEN, Package
from millrace.domain.scoring import Scorer, check_golden
from millrace.domain.verification import verified_package

LONGEST_SECONDS = 300
WARM_UP_ROWS, MEASURED_ROWS, ROUNDS = 50, 300, 3
SAID_NO = 3
"""Exit code of a verdict; any other than 0 is a fault."""


def verify_package(problem: str, version: int) -> dict[str, Any]:
    """Check hashes, golden rows and latency of a version's package in a process of its own.

    Returns:
        version, uri, content_hash, golden_rows, golden_difference, latency_p95_ms, latency_limit_ms.

    Raises:
        VerdictError: If the package is damaged, answers otherwise than recorded, or is too slow; the version is then
            recorded as refused.
        MillraceError: If it could not be checked.
    """
    registered = champions.registration(problem, version)
    uri, content_hash = registered["uri"], registered["content_hash"]
    command = [sys.executable, "-m", "millrace.steps.verify_package"]
    command += ["--problem", problem, "--uri", uri, "--content-hash", content_hash]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise _not_checked(problem, version, uri, f"no end after {LONGEST_SECONDS} s") from error
    if done.returncode not in (0, SAID_NO):
        raise _not_checked(problem, version, uri, done.stderr.strip()[-1000:] or f"exit code {done.returncode}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if done.returncode == SAID_NO:
        # Recorded, or the levels would call this version due for deployment again and again.
        champions.record_transition(problem, version, "refused", "deploy", told["problem"], {"found": told["found"]})
        raise VerdictError(f"Version {version} of {problem} does not hold: {told.pop('problem')}", **told)
    return {"version": version, "uri": uri, "content_hash": content_hash, **told}


def examine(problem: str, uri: str, content_hash: str) -> dict[str, Any]:
    """What the clean process does.

    Raises:
        VerdictError: If the package does not hold.
        MillraceError: If the package cannot be fetched.
    """
    files = package_store.get(uri)
    try:
        package = verified_package(files, content_hash)
    except MillraceError as error:
        place = f"{uri}{error.place}"
        raise VerdictError(
            error.problem, place=place, found=error.found, expected=error.expected, fix=error.fix
        ) from error
    if package.manifest.problem != problem:
        raise VerdictError(
            "The model package is of another problem",
            place=uri,
            found=package.manifest.problem,
            expected=problem,
            fix="register the package of this problem",
        )
    p95, limit = latency_p95_ms(package), package.problem.gate.max_latency_ms
    if p95 > limit:
        raise VerdictError(
            "The model package is too slow",
            place=uri,
            found=f"{p95:.2f} ms for one row with its factors, 95th percentile of the best of {ROUNDS} rounds",
            expected=f"at most {limit:g} ms (gate.max_latency_ms)",
            fix="narrow the search space (fewer or shallower trees), or raise the limit if callers can wait",
        )
    return {
        "golden_rows": len(json.loads(package.files[GOLDEN])),
        "golden_difference": check_golden(package),
        "latency_p95_ms": round(p95, 3),
        "latency_limit_ms": limit,
    }


def latency_p95_ms(package: Package) -> float:
    """95th percentile of scoring one row with its factors, in ms, the best of some rounds.

    Scoring takes one thread, so its latency on an idle core is its CPU time; wall time would judge the machine, which
    may be training the next model meanwhile.
    """
    scorer = Scorer(package)
    rows = [golden["row"] for golden in json.loads(package.files[GOLDEN])]
    for position in range(WARM_UP_ROWS):
        scorer.score(rows[position % len(rows)])
    return min(_round_p95_ms(scorer, rows) for _ in range(ROUNDS))


def _round_p95_ms(scorer: Scorer, rows: list[dict[str, Any]]) -> float:
    taken = []
    for position in range(MEASURED_ROWS):
        began = time.process_time()
        scorer.score(rows[position % len(rows)])
        taken.append(time.process_time() - began)
    return sorted(taken)[int(0.95 * MEASURED_ROWS)] * 1000


def _not_checked(problem: str, version: int, uri: str, found: str) -> MillraceError:
    return MillraceError(
        f"Version {version} of {problem} could not be checked",
        place=uri,
        found=found,
        expected="a process that checks it and says yes or no",
        fix="see what was found; the champion stays as it is",
    )


def main() -> int:
    """Print one line of JSON: the figures, or the parts of the verdict."""
    parser = argparse.ArgumentParser(description="Check a model package as a fresh replica would")
    for option in ("--problem", "--uri", "--content-hash"):
        parser.add_argument(option, required=True)
    asked = parser.parse_args()
    try:
        told, code = examine(asked.problem, asked.uri, asked.content_hash), 0
    except VerdictError as error:
        told = {"problem": error.problem, "place": error.place, "found": error.found}
        told |= {"expected": error.expected, "fix": error.fix}
        code = SAID_NO
    except MillraceError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(told))
    return code


if __name__ == "__main__":
    sys.exit(main())
