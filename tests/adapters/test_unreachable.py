"""A system that does not answer is named, with its address and without its secrets."""

import os
import subprocess
import sys

import pytest

from millrace.settings import STANDARD_PORTS

CLOSED_PORT_OFFSET = 40_000
SECRET = "not-to-be-shown"


# In a process of its own: this one may have clients already, and settings are read once.
@pytest.mark.parametrize(
    ("adapter", "service"),
    [
        ("lake", "postgres"),
        ("warehouse", "postgres"),
        ("object_store", "minio"),
        ("source_database", "source_database"),
        ("source_table", "source_database"),
        ("topics", "kafka"),
    ],
)
def test_a_system_that_does_not_answer_is_named(adapter: str, service: str) -> None:
    secrets = ("WAREHOUSE_DB_PASSWORD", "ICEBERG_DB_PASSWORD", "S3_SECRET_KEY")
    secrets += ("SOURCE_DEBEZIUM_PASSWORD", "SOURCE_EXTRACT_PASSWORD")
    environment = {
        **os.environ,
        **{f"MILLRACE_{name}": SECRET for name in secrets},
        "MILLRACE_PORT_OFFSET": str(CLOSED_PORT_OFFSET),
        "MILLRACE_S3_ENDPOINT": "",
    }
    script = f"""
from millrace.adapters import {adapter}
from millrace.contract.errors import MillraceError
try:
    {adapter}.ping()
except MillraceError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert "cannot be reached" in done.stdout
    assert str(STANDARD_PORTS[service] + CLOSED_PORT_OFFSET) in done.stdout
    assert "make up" in done.stdout
    assert SECRET not in done.stdout + done.stderr
