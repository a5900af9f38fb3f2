"""`python -m tests.faults.worker <problem>`: takes what has landed to the warehouse, with the steps that the DAGs run.

It goes on until nothing is pending. What fails is tried again, as Airflow would, and whoever kills it may start it
again: every attempt has a name of its own.
"""

import sys
import time
import traceback
import uuid

from millrace.adapters import connect
from millrace.contract.errors import LostRaceError
from millrace.contract.loading import get_problem
from millrace.contract.problem import Problem
from millrace.settings import get_settings
from millrace.steps.ingest_files import check_raw_data, ingest_raw_data
from millrace.steps.load_star import load_star
from millrace.steps.load_warehouse import load_warehouse
from millrace.steps.pending import PENDING
from tests.steps.transforming import to_gold

AGAIN_SECONDS = 0.5


def main(name: str) -> None:
    take_in(get_problem(name, get_settings().problems_dir))


def take_in(problem: Problem) -> None:
    """Go on until nothing is pending."""
    while True:
        try:
            if PENDING["ingest_files"](problem):
                attempt = uuid.uuid4().hex
                check_raw_data(problem, ingest_raw_data(problem, attempt=attempt, run_id=attempt))
            elif PENDING["transform"](problem):
                transform(problem)
            else:
                return
        except LostRaceError as error:
            print(error, file=sys.stderr)
        except Exception:  # noqa: BLE001 - which error depends on what is down at this moment
            traceback.print_exc()
            time.sleep(AGAIN_SECONDS)


def transform(problem: Problem) -> None:
    with connect.session() as spark:
        to_gold(spark, problem, uuid.uuid4().hex)
    load_warehouse(problem)
    if problem.warehouse is not None:
        load_star(problem)


if __name__ == "__main__":
    main(sys.argv[1])
