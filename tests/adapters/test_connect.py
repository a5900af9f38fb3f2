"""Sessions of the Spark server that one process makes, one after the other."""

import gc
import threading

import pytest

from millrace.adapters import connect

pytestmark = pytest.mark.stack


def test_a_stopped_session_that_is_collected_waits_for_no_thread_of_another() -> None:
    with connect.session() as first:
        assert first.range(3).count() == 3
    with connect.session() as second:
        assert second.range(4).count() == 4
        of_the_second = {*threading.enumerate()}
        del first
        gc.collect()
        assert of_the_second <= {*threading.enumerate()}
