"""Objects in S3, or in anything that speaks it."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from millrace.adapters.unreachable import unreachable
from millrace.settings import get_settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class StoredObject:
    """What a listing tells of an object. `etag` is without quotes; `last_modified` is in UTC."""

    key: str
    etag: str
    size: int
    last_modified: datetime


class ObjectChangedError(Exception):
    """The object is no longer the one that was asked for."""


def client() -> "S3Client":
    """The S3 client of this process."""
    return _client(os.getpid())


@cache
def _client(_process: int) -> "S3Client":
    settings = get_settings()
    return boto3.client(
        "s3",
        endpoint_url=settings.s3_url,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
        config=Config(
            s3={"addressing_style": "path"},
            connect_timeout=5,
            read_timeout=60,
            retries={"max_attempts": 3, "mode": "standard"},
            # Newer clients add checksums that other servers than AWS refuse.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def ping() -> None:
    """Ask for the landing bucket.

    Raises:
        MillraceError: If the store cannot be reached or refuses us, or there is no such bucket.
    """
    settings = get_settings()
    try:
        client().head_bucket(Bucket=settings.landing_bucket)
    except (BotoCoreError, ClientError) as error:
        place = f"{settings.s3_url}, bucket {settings.landing_bucket}"
        raise unreachable("The object store", place, error) from error


def list_objects(bucket: str, prefix: str) -> list[StoredObject]:
    """Every object under a prefix, by key."""
    pages = client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [
        StoredObject(found["Key"], found["ETag"].strip('"'), found["Size"], found["LastModified"])
        for page in pages
        for found in page.get("Contents", [])
    ]


def head(bucket: str, key: str) -> StoredObject | None:
    """What is known of one object; None if there is none."""
    found = look(bucket, key)
    if found is None:
        return None
    return StoredObject(key, found["ETag"].strip('"'), found["ContentLength"], found["LastModified"])


def look(bucket: str, key: str) -> Mapping[str, Any] | None:
    """All that the store tells of one object, as its answer has it; None if there is none."""
    try:
        return client().head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if status(error) == 404:
            return None
        raise


def get(bucket: str, key: str) -> bytes:
    return client().get_object(Bucket=bucket, Key=key)["Body"].read()


def stream(bucket: str, key: str, etag: str) -> Iterator[bytes]:
    """The bytes of the object that has this ETag, in chunks of at most 1 MiB.

    Raises:
        ObjectChangedError: If the object has another ETag by now, or is gone.
    """
    try:
        body = client().get_object(Bucket=bucket, Key=key, IfMatch=etag)["Body"]
    except ClientError as error:
        if status(error) in (404, 412):
            raise ObjectChangedError(f"s3://{bucket}/{key} no longer has ETag {etag}") from error
        raise
    return body.iter_chunks(CHUNK_BYTES)


def put(bucket: str, key: str, content: bytes, content_type: str = "application/octet-stream") -> None:
    client().put_object(Bucket=bucket, Key=key, Body=content, ContentType=content_type)


def put_landing(key: str, content: bytes) -> str:
    """Land a file.

    Returns:
        Where it is, as an S3 URI.
    """
    bucket = get_settings().landing_bucket
    put(bucket, key, content, "text/csv")
    return f"s3://{bucket}/{key}"


def upload_landing(key: str, file: Path) -> str:
    """Land a file from disk, in parts if it is large: it need not fit into memory, and appears when it is complete.

    Returns:
        Where it is, as an S3 URI.
    """
    bucket = get_settings().landing_bucket
    client().upload_file(str(file), bucket, key)
    return f"s3://{bucket}/{key}"


def delete_prefix(bucket: str, prefix: str) -> None:
    """Delete every object under a prefix."""
    for found in list_objects(bucket, prefix):
        client().delete_object(Bucket=bucket, Key=found.key)


def status(error: ClientError) -> int:
    """The HTTP status that the store answered with."""
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
