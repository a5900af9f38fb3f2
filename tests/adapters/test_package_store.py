"""Packages are stored once, complete or not at all, and a damaged one is healed by storing it again."""

from collections.abc import Iterator

import pytest

from millrace.adapters import object_store, package_store
from millrace.contract.errors import MillraceError
from millrace.domain.package import MANIFEST, content_hash
from millrace.settings import get_settings
from tests.control_rows import throwaway_problem
from tests.serving.world import package

pytestmark = pytest.mark.stack


@pytest.fixture
def problem() -> Iterator[str]:
    name = throwaway_problem()
    yield name
    object_store.delete_prefix(get_settings().models_bucket, f"{name}/")


def test_a_stored_package_comes_back_as_it_was(problem: str) -> None:
    files = package("diabetes")
    uri = package_store.put(problem, files)
    assert uri == package_store.package_uri(problem, content_hash(files))
    assert package_store.put(problem, files) == uri
    assert package_store.get(uri) == files


@pytest.mark.parametrize("file", ["golden.json", MANIFEST])
@pytest.mark.parametrize("content", [None, b"[]"])
def test_a_damaged_package_is_healed_by_storing_it_again(problem: str, file: str, content: bytes | None) -> None:
    files = package("diabetes")
    uri = package_store.put(problem, files)
    bucket = get_settings().models_bucket
    key = uri.removeprefix(f"s3://{bucket}/") + file
    if content is None:
        object_store.client().delete_object(Bucket=bucket, Key=key)
    else:
        object_store.put(bucket, key, content)
    assert package_store.put(problem, files) == uri
    assert package_store.get(uri) == files


def test_a_package_whose_storing_was_cut_short_is_no_package(problem: str) -> None:
    files = {name: content for name, content in package("diabetes").items() if name != MANIFEST}
    for name, content in files.items():
        object_store.put(get_settings().models_bucket, f"{problem}/packages/half/{name}", content)
    with pytest.raises(MillraceError) as incomplete:
        package_store.get(package_store.package_uri(problem, "half"))
    assert "without a manifest" in incomplete.value.found


@pytest.mark.parametrize("uri", ["file:///etc/passwd", "s3://models/x", "nonsense", ""])
def test_what_is_no_address_of_a_package_is_refused(uri: str) -> None:
    with pytest.raises(MillraceError) as refused:
        package_store.get(uri)
    assert refused.value.found == uri
