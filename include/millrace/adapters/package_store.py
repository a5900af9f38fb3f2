"""Model packages in the models bucket, each under the hash of its content: written once, never changed."""

from collections.abc import Mapping

from botocore.exceptions import BotoCoreError, ClientError

from millrace.adapters import object_store
from millrace.contract.errors import MillraceError
from millrace.domain.package import MANIFEST, content_hash, open_package
from millrace.settings import get_settings


class StoreAwayError(MillraceError):
    """The store does not answer, or refuses: what is in it is not known."""


def package_uri(problem_name: str, content: str) -> str:
    """Where the package of this content hash is."""
    return f"s3://{get_settings().models_bucket}/{problem_name}/packages/{content}/"


def put(problem_name: str, files: Mapping[str, bytes]) -> str:
    """Store a package, the manifest last, so that one with a manifest is complete.

    A package of the same content that is already there stays, with its provenance; a damaged one is replaced.

    Returns:
        The URI of its folder.

    Raises:
        StoreAwayError: If the store cannot be reached.
    """
    content = content_hash(files)
    uri = package_uri(problem_name, content)
    bucket, prefix = _place(uri)
    try:
        if _is_whole(_download(bucket, prefix)):
            return uri
        for name in sorted(files, key=lambda name: name == MANIFEST):
            object_store.put(bucket, prefix + name, files[name])
    except (BotoCoreError, ClientError) as error:
        raise _unreachable(uri, error) from error
    return uri


def get(uri: str) -> dict[str, bytes]:
    """The files of a stored package by name; `millrace.domain.package.open_package` checks their content.

    Raises:
        StoreAwayError: If the store cannot be reached.
        MillraceError: If no complete package is there.
    """
    bucket, prefix = _place(uri)
    try:
        files = _download(bucket, prefix)
    except (BotoCoreError, ClientError) as error:
        raise _unreachable(uri, error) from error
    if MANIFEST not in files:
        raise MillraceError(
            "There is no complete model package",
            place=uri,
            found=f"{len(files)} files without a manifest" if files else "nothing",
            expected=f"the files of a package, {MANIFEST} among them",
            fix="train again, or put an earlier version back with `millrace rollback`",
        )
    return files


def _is_whole(files: Mapping[str, bytes]) -> bool:
    # The content hash is in the address and in the manifest, which is checked against every file.
    try:
        open_package(files)
    except MillraceError:
        return False
    return True


def _download(bucket: str, prefix: str) -> dict[str, bytes]:
    found = object_store.list_objects(bucket, prefix)
    return {one.key.removeprefix(prefix): object_store.get(bucket, one.key) for one in found}


def _place(uri: str) -> tuple[str, str]:
    scheme, _, rest = uri.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not bucket or not prefix.endswith("/"):
        raise MillraceError(
            "This is not the address of a model package",
            place="a champion or a registered version",
            found=uri,
            expected="s3://<bucket>/<problem>/packages/<content hash>/",
            fix="read the version's transitions with `millrace history`",
        )
    return bucket, prefix


def _unreachable(uri: str, error: Exception) -> StoreAwayError:
    return StoreAwayError(
        "The object store cannot be reached, or refuses",
        place=uri,
        found=str(error),
        expected="an S3 endpoint that answers, with the keys of the env file",
        fix="`make status` shows whether it runs, `make up` starts it",
    )
