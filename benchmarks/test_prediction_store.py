"""What keeping a prediction costs before its answer leaves, beside a bare write; and how fast the spool is shipped."""

import os
import secrets
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from millrace.contract.source import Scalar
from millrace.domain.prediction_record import AnsweredRequest, PredictionRecord, as_bytes
from millrace.domain.uuid7 import uuid7s
from millrace.settings import get_settings
from serving.spool import Spool
from serving.spool_lines import line
from serving.storing import SpooledStore
from tests.postgres_alone import Alone, postgres_alone

pytestmark = pytest.mark.bench
LIMIT_MICROSECONDS = 150
ROW: dict[str, Scalar | None] = {
    "person_age": 30,
    "person_education": "Master",
    "person_income": 60000.0,
    "person_emp_exp": 5,
}
ROW |= {"person_home_ownership": "RENT", "loan_amnt": 9000.0, "loan_intent": "MEDICAL", "loan_int_rate": 11.0}
ROW |= {"loan_percent_income": 0.15, "cb_person_cred_hist_length": 6, "credit_score": 640}
FACTORS = [{"name": name, "value": ROW[name], "contribution": 0.123456789} for name in list(ROW)[:3]]
new_id = uuid7s(time.time_ns, secrets.randbits)


@pytest.fixture(scope="module")
def server() -> Iterator[Alone]:
    with postgres_alone() as server:
        yield server


def answered(rows: int) -> AnsweredRequest:
    made = [PredictionRecord(new_id(), '["17"]', ROW, 0.25, "medium", False, FACTORS, "model") for _ in range(rows)]
    return AnsweredRequest(new_id(), "loan", 3, "bank", 0.001, 0, made)


def kept(spool: Spool, request: AnsweredRequest) -> None:
    rows = len(request.predictions)
    spool.write(line(as_bytes(request), at_ms=1, rows=rows), rows=rows)


def microseconds(work: Callable[[], object], calls: int) -> tuple[float, float]:
    """Median and 99th percentile."""
    taken = []
    for _ in range(calls):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1e6)
    return statistics.median(taken), statistics.quantiles(taken, n=100)[98]


@pytest.mark.parametrize("rows", [1, 1_000])
def test_a_request_is_kept_in_microseconds(tmp_path: Path, rows: int) -> None:
    request = answered(rows)
    bare = os.open(tmp_path / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    content = line(as_bytes(request), at_ms=1, rows=rows)
    calls = 2_000 // (1 + rows // 50)
    plain = microseconds(lambda: os.write(bare, content), calls)
    told = {"a bare write": plain}
    for name, sync in (("kept", False), ("kept, and synced to the disk", True)):
        spool = Spool(tmp_path / name, limit_bytes=10**10, sync_each_write=sync)
        told[name] = microseconds(
            partial(kept, spool, request),
            calls if not sync else 100,
        )
        spool.close()
    for name, (median, p99) in told.items():
        print(f"\n{rows} rows, {len(content)} bytes, {name}: {median:.0f} µs, p99 {p99:.0f} µs", end="")
    assert told["kept"][0] < LIMIT_MICROSECONDS * (1 + rows / 10)


def test_the_spool_is_shipped(server: Alone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MILLRACE_SPOOL_DIR", str(tmp_path))
    get_settings.cache_clear()
    spool = Spool(tmp_path / get_settings().replica, limit_bytes=10**10)
    for _ in range(20_000):
        request = answered(1)
        spool.write(line(as_bytes(request), at_ms=1, rows=1), rows=1)
    spool.close()
    store = SpooledStore(get_settings())
    began = time.perf_counter()
    store.start()
    while store.state().waiting_rows:
        time.sleep(0.05)
    seconds = time.perf_counter() - began
    store.stop()
    print(f"\n20,000 requests of one row shipped in {seconds:.1f} s: {20_000 / seconds:,.0f} rows/s")
    assert server.rows("SELECT count(*) FROM predictions.loan") == [(20_000,)]
