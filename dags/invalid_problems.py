"""The one DAG file that breaks when a problem file is invalid: Airflow shows the mistake, all else goes on."""

from millrace.orchestration.problems import invalid_problems

errors = invalid_problems()
if errors:
    raise ValueError("\n\n".join(str(error) for error in errors))
