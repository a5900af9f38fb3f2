"""The objects of a bucket as a tar file, and back: with content types, and the ETags that tell landed files."""

import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from infra.backup.manifest import Copied
from millrace.contract.errors import MillraceError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Say = Callable[[str], None]
# Of the tar entry, for what a tar does not know of.
ETAG, TYPE, PART = "MILLRACE.etag", "MILLRACE.content-type", "MILLRACE.part-bytes"


def copy(s3: "S3Client", bucket: str, file: Path, *, expected: set[str], say: Say) -> Copied:
    """Write every object of a bucket to a tar file.

    Args:
        expected: Keys that must be among them.

    Raises:
        MillraceError: If one of these is gone.
    """
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
    # A table's metadata first: of these files each commit removes the oldest, and the others stay while we copy.
    keys.sort(key=lambda key: (not key.endswith(".metadata.json"), key))
    copied = Copied(objects=0, bytes=0)
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as tar:
        for number, key in enumerate(keys, start=1):
            try:
                found = s3.get_object(Bucket=bucket, Key=key)
            except s3.exceptions.NoSuchKey:
                continue
            entry = tarfile.TarInfo(key)
            entry.size, entry.mtime = found["ContentLength"], int(found["LastModified"].timestamp())
            entry.pax_headers = _told(s3, bucket, key, found)
            tar.addfile(entry, found["Body"])
            copied.objects += 1
            copied.bytes += entry.size
            expected = expected - {key}
            if number % 100 == 0 or number == len(keys):
                say(f"{bucket}: {number:,} of {len(keys):,} objects, {copied.bytes / 1e6:,.0f} MB")
    if expected:
        raise MillraceError(
            "A table was committed to so often that its metadata was gone before it was copied",
            place=f"bucket {bucket}",
            found=f"no object {min(expected)}",
            expected="fewer than 20 commits to a table while its metadata is copied",
            fix="say `make backup` again, when fewer files arrive",
        )
    return copied


def put_back(s3: "S3Client", bucket: str, file: Path, *, total: int, say: Say) -> list[str]:
    """Write the objects of a tar file to a bucket; returns the keys whose ETag is another one now."""
    other: list[str] = []
    with tarfile.open(file) as tar:
        for number, entry in enumerate(tar, start=1):
            content = tar.extractfile(entry)
            assert content is not None
            told = entry.pax_headers
            if PART in told:
                etag = _put_in_parts(s3, bucket, entry.name, content, told)
            else:
                etag = s3.put_object(Bucket=bucket, Key=entry.name, Body=content, ContentType=told[TYPE])["ETag"]
            if etag.strip('"') != told[ETAG]:
                other.append(entry.name)
            if number % 100 == 0 or number == total:
                say(f"{bucket}: {number:,} of {total:,} objects")
    return other


def _told(s3: "S3Client", bucket: str, key: str, found: Any) -> dict[str, str]:
    etag = found["ETag"].strip('"')
    told = {ETAG: etag, TYPE: found.get("ContentType", "application/octet-stream")}
    if "-" in etag:
        # Its ETag follows from the sizes of its parts.
        told[PART] = str(s3.head_object(Bucket=bucket, Key=key, PartNumber=1)["ContentLength"])
    return told


def _put_in_parts(s3: "S3Client", bucket: str, key: str, content: Any, told: Mapping[str, str]) -> str:
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key, ContentType=told[TYPE])["UploadId"]
    parts: list[Any] = []
    try:
        while part := content.read(int(told[PART])):
            number = len(parts) + 1
            done = s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=io.BytesIO(part))
            parts.append({"PartNumber": number, "ETag": done["ETag"]})
        whole = s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
    except ClientError:
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        raise
    return whole["ETag"]
