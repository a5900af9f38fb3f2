"""MLflow: runs and model versions in Postgres, artifacts in S3 through the server, so that clients need no S3 keys."""

from infra import probes
from infra.paths import VENV
from infra.services.minio import make_buckets
from infra.services.service import Launch, Service
from millrace.settings import Settings


def launch(settings: Settings) -> Launch:
    return Launch(
        argv=[
            str(VENV / "bin" / "mlflow"),
            "server",
            "--host=127.0.0.1",
            f"--port={settings.port('mlflow')}",
            "--workers=1",
            f"--artifacts-destination=s3://{settings.mlflow_bucket}",
        ],
        environment={
            # In the environment, not in the arguments: it holds a password, and `ps` shows arguments to everyone.
            "MLFLOW_BACKEND_STORE_URI": settings.postgres_dsn("mlflow").replace(
                "postgresql:", "postgresql+psycopg2:", 1
            ),
            "MLFLOW_S3_ENDPOINT_URL": settings.s3_url,
            "AWS_ACCESS_KEY_ID": settings.s3_access_key,
            "AWS_SECRET_ACCESS_KEY": settings.s3_secret_key.get_secret_value(),
            "AWS_DEFAULT_REGION": settings.s3_region,
            # Jobs run code for whoever reaches the server.
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        },
    )


def prepare(settings: Settings) -> None:
    """Another S3 than ours has no service that makes the buckets when it is ready."""
    if settings.s3_endpoint:
        make_buckets(settings)


SERVICE = Service(
    name="mlflow",
    title="MLflow",
    port="mlflow",
    launch=launch,
    prepare=prepare,
    waiting_for=lambda settings: probes.http(f"{settings.url('mlflow')}/health"),
    after=("postgres", "minio"),
    patience_seconds=180,
)
