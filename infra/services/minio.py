"""MinIO: the S3 of the native stack. Left out when `MILLRACE_S3_ENDPOINT` names another one."""

import json
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from infra import probes
from infra.paths import MINIO
from infra.services.service import Launch, Service
from millrace.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def launch(settings: Settings) -> Launch:
    return Launch(
        argv=[
            str(MINIO),
            "server",
            str(settings.home / "minio"),
            f"--address=127.0.0.1:{settings.port('minio')}",
            f"--console-address=127.0.0.1:{settings.port('minio_console')}",
        ],
        environment={
            "MINIO_ROOT_USER": settings.s3_access_key,
            "MINIO_ROOT_PASSWORD": settings.s3_secret_key.get_secret_value(),
            "MINIO_REGION": settings.s3_region,
            "MINIO_UPDATE": "off",
            "GOMEMLIMIT": "512MiB",
        },
    )


def prepare(settings: Settings) -> None:
    (settings.home / "minio").mkdir(parents=True, exist_ok=True, mode=0o700)


def complete(settings: Settings) -> None:
    make_buckets(settings)


def client(settings: Settings) -> "S3Client":
    """A client of the S3 that this stack uses."""
    return boto3.client(
        "s3",
        endpoint_url=settings.s3_url,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 5}),
    )


def buckets(settings: Settings) -> tuple[str, ...]:
    """The buckets of this stack: the tables first, which the catalog names."""
    return (
        settings.lake_bucket,
        settings.models_bucket,
        settings.mlflow_bucket,
        settings.landing_bucket,
        settings.reports_bucket,
    )


def make_buckets(settings: Settings) -> None:
    """Makes the buckets that are missing."""
    s3 = client(settings)
    existing = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    for name in buckets(settings):
        if name not in existing:
            s3.create_bucket(Bucket=name)
    s3.put_bucket_policy(Bucket=settings.reports_bucket, Policy=json.dumps(_readable_pages(settings.reports_bucket)))


def _readable_pages(bucket: str) -> dict[str, Any]:
    """Anyone who reaches the loopback port may open Data Docs and run reports by address, but neither list nor write.

    A page tells statistics, never a value of a sensitive column; a link that needs S3 keys is a link that nobody opens.
    """
    allowed = {"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": ["s3:GetObject"]}
    readable = [f"arn:aws:s3:::{bucket}/{pages}" for pages in ("data-docs/*", "runs/*.html")]
    return {"Version": "2012-10-17", "Statement": [allowed | {"Resource": readable}]}


SERVICE = Service(
    name="minio",
    title="MinIO",
    port="minio",
    launch=launch,
    prepare=prepare,
    complete=complete,
    waiting_for=lambda settings: probes.http(f"{settings.url('minio')}/minio/health/ready"),
    wanted=lambda settings: not settings.s3_endpoint,
)
