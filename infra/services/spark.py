"""Spark Connect: one warm JVM with the Iceberg catalog `lake`. It runs SQL and DataFrame plans, none of our Python."""

import hashlib
from pathlib import Path

from infra import probes
from infra.files import write_private
from infra.paths import JARS, SPARK_ENV, VENV
from infra.services.service import Launch, Service, started_file
from millrace.settings import Settings

LOGGING = """\
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1}: %m%n%ex
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = error
"""


def launch(settings: Settings) -> Launch:
    home = SPARK_ENV / "lib" / "python3.11" / "site-packages" / "pyspark"
    return Launch(
        argv=[
            str(home / "bin" / "spark-submit"),
            "--class=org.apache.spark.sql.connect.service.SparkConnectServer",
            "--name=millrace",
            "spark-internal",
        ],
        environment={
            "SPARK_HOME": str(home),
            "SPARK_CONF_DIR": str(_conf_folder(settings)),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_DIRS": str(settings.home / "spark" / "local"),
            "TZ": "UTC",
            # Changes with the configuration file, so that `make up` restarts the server when it must.
            "MILLRACE_SPARK_CONF": hashlib.sha256(_conf_text(settings).encode()).hexdigest(),
        },
        folder=settings.home / "spark",
        companion=[str(VENV / "bin" / "python"), "-m", "infra.warm_spark", str(_warm_mark(settings))],
    )


def prepare(settings: Settings) -> None:
    """Writes the configuration: the catalog's secrets stand in a file of mode 600, not in the arguments."""
    folder = _conf_folder(settings)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(folder / "log4j2.properties", LOGGING)
    write_private(folder / "spark-defaults.conf", _conf_text(settings))


def configuration(settings: Settings) -> dict[str, str]:
    """`spark-defaults.conf`: Iceberg's JDBC catalog in Postgres, tables in S3, a token for every caller."""
    catalog = {
        "": "org.apache.iceberg.spark.SparkCatalog",
        ".type": "jdbc",
        ".uri": f"jdbc:postgresql://{settings.postgres_host}:{settings.port('postgres')}/iceberg",
        ".jdbc.user": "iceberg",
        ".jdbc.password": settings.iceberg_db_password.get_secret_value(),
        ".jdbc.schema-version": "V1",
        ".warehouse": f"s3://{settings.lake_bucket}/warehouse",
        ".io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        # A cached session was seen to serve stale heads for minutes.
        ".cache-enabled": "false",
        ".client.region": settings.s3_region,
        ".s3.endpoint": settings.s3_url,
        ".s3.path-style-access": "true",
        ".s3.access-key-id": settings.s3_access_key,
        ".s3.secret-access-key": settings.s3_secret_key.get_secret_value(),
    }
    return {
        "spark.master": "local[2]",
        "spark.driver.memory": "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        # One thread alone collecting garbage took a quarter of the time of ten million rows. What Spark generates for a
        # table of thirty columns is longer than the JVM compiles by default, and would be interpreted.
        "spark.driver.extraJavaOptions": "-Duser.timezone=UTC -XX:+UseParallelGC -XX:-DontCompileHugeMethods"
        " -XX:+ExitOnOutOfMemoryError -Djava.net.preferIPv4Stack=true",
        "spark.ui.enabled": "false",
        # Kept for the UI all the same: a thousand plans with a metric for each of their nodes filled the heap of a
        # server that had been at work for an hour.
        "spark.sql.ui.retainedExecutions": "20",
        "spark.ui.retainedJobs": "100",
        "spark.ui.retainedStages": "100",
        "spark.ui.retainedTasks": "1000",
        "spark.sql.session.timeZone": "UTC",
        # Of 100 generated classes, the default, none was left for the next transform: it generated and compiled all of
        # its own again, a fifth of the time of a million rows.
        "spark.sql.codegen.cache.maxEntries": "1000",
        # The statistics that choose a compression cost more than all else that keeping rows does.
        "spark.sql.inMemoryColumnarStorage.compressed": "false",
        "spark.sql.shuffle.partitions": "4",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(settings.port("spark_connect")),
        "spark.connect.authenticate.token": settings.spark_connect_token.get_secret_value(),
        "spark.redaction.regex": "(?i)secret|password|token|access.?key",
        "spark.jars": ",".join(str(jar) for jar in sorted(JARS.glob("*.jar"))),
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.defaultCatalog": "lake",
        **{f"spark.sql.catalog.lake{key}": value for key, value in catalog.items()},
    }


def waiting_for(settings: Settings) -> str | None:
    """Ready when the warm-up query of this very start has run."""
    if missing := probes.tcp(settings.port("spark_connect")):
        return missing
    warm, started = _warm_mark(settings), started_file("spark", settings)
    if warm.exists() and started.exists() and warm.stat().st_mtime > started.stat().st_mtime:
        return None
    return "the warm-up query has not finished"


def _conf_text(settings: Settings) -> str:
    return "".join(f"{key} {value}\n" for key, value in configuration(settings).items())


def _conf_folder(settings: Settings) -> Path:
    return settings.home / "spark" / "conf"


def _warm_mark(settings: Settings) -> Path:
    return settings.home / "spark" / "warm"


SERVICE = Service(
    name="spark",
    title="Spark Connect 4.1",
    port="spark_connect",
    launch=launch,
    prepare=prepare,
    waiting_for=waiting_for,
    after=("postgres", "minio"),
    patience_seconds=180,
)
