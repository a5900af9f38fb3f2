"""A small stack for the tests of the stack itself."""

from collections.abc import Iterator

import pytest

from tests.infra import small_stack


@pytest.fixture(scope="module")
def stack() -> Iterator[None]:
    """Postgres and MinIO are up."""
    with small_stack.fresh():
        small_stack.up("postgres", "minio")
        yield
