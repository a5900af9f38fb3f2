"""A verdict is not a fault: Airflow must not try it again."""

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowFailException

from millrace.contract.errors import LostRaceError, VerdictError


@contextmanager
def no_retry_of_verdicts() -> Iterator[None]:
    """Turn a verdict, or a race lost to another attempt, into a failure without retry.

    After a lost race the whole run is stale; `reconcile` starts a new one if something is still pending.
    """
    try:
        yield
    except (VerdictError, LostRaceError) as error:
        raise AirflowFailException(str(error)) from error
