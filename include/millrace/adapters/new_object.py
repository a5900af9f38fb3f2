"""An object that is written in parts, appears when it is complete, and takes nobody's place.

The store itself refuses a second object of a name (a conditional completion), so of two writers of one name the first
wins, however late the other comes.
"""

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from millrace.adapters.object_store import client, look, status

PART_BYTES = 16 << 20
"""With at most 10,000 parts an object holds 156 GiB."""
_TOLD = "millrace"
"""The key of the object's own metadata."""


class ObjectExistsError(Exception):
    """Somebody else's object has this name."""


@contextmanager
def new_object(bucket: str, key: str, told: Mapping[str, object]) -> Iterator[io.RawIOBase]:
    """A file to write to; when the block ends, it is there as a whole, and after an error in the block nothing is.

    Args:
        told: What the object tells of itself, in JSON of at most 1,900 bytes.

    Raises:
        ObjectExistsError: At the end, if there is an object of this name by now.
    """
    s3 = client()
    metadata = {_TOLD: json.dumps(told)}
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key, Metadata=metadata)["UploadId"]
    writer = _Parts(bucket, key, upload)
    try:
        yield writer
        writer.send()
        s3.complete_multipart_upload(
            Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": writer.parts}, IfNoneMatch="*"
        )
    except BaseException as error:
        # Parts of an upload that could not be given up are visible to nobody.
        with suppress(BotoCoreError, ClientError):
            s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        if isinstance(error, ClientError) and status(error) == 412:
            raise ObjectExistsError(f"s3://{bucket}/{key} is there already") from error
        raise


def told_by(bucket: str, key: str) -> Mapping[str, Any] | None:
    """What an object tells of itself, empty if nothing; None if there is none."""
    found = look(bucket, key)
    if found is None:
        return None
    said: dict[str, Any] = json.loads(found["Metadata"].get(_TOLD, "{}"))
    return said


class _Parts(io.RawIOBase):
    """Bytes on their way to the store, a part at a time."""

    def __init__(self, bucket: str, key: str, upload: str) -> None:
        self._bucket, self._key, self._upload = bucket, key, upload
        self._waiting = bytearray()
        self._sent = 0
        self.parts: list[Any] = []

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._sent + len(self._waiting)

    def write(self, content: Any) -> int:
        self._waiting += content
        if len(self._waiting) >= PART_BYTES:
            self.send()
        return len(content)

    def send(self) -> None:
        """Send what waits as a part; the last one, and the only one of a small object, may be small."""
        if not self._waiting:
            return
        number = len(self.parts) + 1
        body, self._waiting = bytes(self._waiting), bytearray()
        done = client().upload_part(
            Bucket=self._bucket, Key=self._key, UploadId=self._upload, PartNumber=number, Body=body
        )
        self.parts.append({"PartNumber": number, "ETag": done["ETag"]})
        self._sent += len(body)
