"""The contract as Great Expectations suites, and running them as checkpoints over Spark."""

import logging

# Beside Airflow's logging, importing GX would print hundreds of "Skipping registering" lines.
logging.getLogger("great_expectations").setLevel(logging.WARNING)
