"""`python -m tests.faults.worker <problem>`: takes what has landed to the warehouse, DAG by DAG, as Airflow would.

It goes on until nothing is pending. Whatever fails is tried again, and whoever kills it may start it again.
"""

import sys
import time

from tests import own_stack

STAGES = ("ingest_files", "transform")
AGAIN_SECONDS = 0.5


def main(name: str) -> None:
    own_stack.enter()
    from millrace.contract.loading import get_problem
    from millrace.settings import get_settings
    from millrace.steps.pending import PENDING
    from tests.dags.running import run_stage

    problem = get_problem(name, get_settings().problems_dir)
    while True:
        try:
            behind = [stage for stage in STAGES if PENDING[stage](problem)]
        except Exception as error:  # noqa: BLE001 - which error depends on what is down at this moment
            print(f"cannot look: {error}", file=sys.stderr)
            time.sleep(AGAIN_SECONDS)
            continue
        if not behind:
            return
        finished = run_stage(problem, behind[0])
        print(behind[0], finished.state, finished.tasks, file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1])
