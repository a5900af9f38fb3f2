"""The services of the stack, by profile. A new profile is a new list here."""

from infra.services import (
    airflow,
    connectors,
    kafka,
    kafka_connect,
    minio,
    mlflow,
    postgres,
    ray,
    serving,
    source_database,
    spark,
)
from infra.services.service import Service
from millrace.contract.errors import MillraceError, did_you_mean
from millrace.settings import Settings

PROFILES: dict[str, tuple[Service, ...]] = {
    "core": (
        postgres.SERVICE,
        minio.SERVICE,
        source_database.SERVICE,
        kafka.SERVICE,
        kafka_connect.SERVICE,
        connectors.SERVICE,
        spark.SERVICE,
        ray.SERVICE,
        mlflow.SERVICE,
        *airflow.SERVICES,
        *serving.SERVICES,
    ),
}


def wanted(settings: Settings) -> list[Service]:
    """The services of all profiles that this configuration wants."""
    return [service for services in PROFILES.values() for service in services if service.wanted(settings)]


def of_profile(profile: str, settings: Settings) -> list[Service]:
    """The services of a profile that this configuration wants, in starting order."""
    if profile not in PROFILES:
        raise MillraceError(
            f'there is no profile "{profile}"',
            place="make up PROFILE=…",
            found=profile,
            expected=", ".join(PROFILES),
            fix=did_you_mean(profile, list(PROFILES)),
        )
    return [service for service in PROFILES[profile] if service.wanted(settings)]
