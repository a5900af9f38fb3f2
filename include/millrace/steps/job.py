"""What the Ray jobs of training have in common: their command line, and lines of progress on standard output."""

import argparse
import logging
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Asked:
    """What a training job is to work on."""

    problem: str
    run_key: str
    snapshot_id: int


def begin(description: str) -> Asked:
    """Read the command line and let log lines go to standard output, where Ray keeps them."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stdout)
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--problem", required=True)
    parser.add_argument("--run-key", required=True)
    parser.add_argument("--snapshot-id", required=True, type=int)
    told = parser.parse_args()
    return Asked(told.problem, told.run_key, told.snapshot_id)
