"""`python -m tests.faults.zombie <problem> <gate>`: an attempt that was given up, and lives on.

Its write of silver stands before the gate inside the Spark server. When the gate opens it goes on as if nothing had
happened: writes, has its branch checked, publishes. Prints one JSON object: what became of it.
"""

import json
import sys

from pyspark.errors import PySparkException

from millrace.adapters.connect import session
from millrace.contract.errors import MillraceError
from millrace.contract.loading import get_problem
from millrace.settings import get_settings
from millrace.steps.check_silver_data import check_silver_data
from millrace.steps.transform_data import transform_data
from spark_jobs import silver
from tests.faults.gate import behind_gate


def main(name: str, gate: int) -> None:
    problem = get_problem(name, get_settings().problems_dir)
    silver.append, silver.merge = behind_gate(silver.append, gate), behind_gate(silver.merge, gate)
    with session() as spark:
        try:
            written = transform_data(spark, problem, attempt="zombie", run_id="given-up")
            outcome = {"written": written, "published": check_silver_data(spark, problem, written)}
        # The merge itself may notice; an append does not, and is refused when it publishes.
        except (MillraceError, PySparkException) as error:
            outcome = {"refused": type(error).__name__, "why": str(error)[:500]}
    print(json.dumps(outcome))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
