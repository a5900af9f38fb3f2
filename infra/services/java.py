"""How a program of Kafka is started: the Java of this machine, a small heap, its log on standard output, metrics."""

import os
from pathlib import Path

from infra.paths import KAFKA, ROOT

# The version is that of infra/java/kafka.xml.
AGENT = KAFKA / "jmx_prometheus_javaagent-1.0.1.jar"

LOGGING = """\
status = warn
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1}: %m%n%ex
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.debezium.name = io.debezium
logger.debezium.level = info
logger.debezium_config.name = io.debezium.connector.common.BaseSourceTask
logger.debezium_config.level = warn
"""


def command(
    main_class: str, *arguments: str, heap_megabytes: int, logging: Path, options: tuple[str, ...] = ()
) -> list[str]:
    """The words that start a class of Kafka. Settings that are secret stand in files, never here."""
    home = os.environ.get("JAVA_HOME")
    return [
        f"{home}/bin/java" if home else "java",
        f"-Xms{heap_megabytes // 2}m",
        f"-Xmx{heap_megabytes}m",
        # One thread collects a heap of this size as fast as several, and keeps the memory beside it small.
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        "-Djava.net.preferIPv4Stack=true",
        "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={logging}",
        *options,
        "-cp",
        f"{KAFKA}/*",
        main_class,
        *arguments,
    ]


def metrics(program: str, port: int) -> str:
    """The option that has a program tell its metrics on a loopback port: those that `metrics-<program>.yaml` names."""
    return f"-javaagent:{AGENT}=127.0.0.1:{port}:{ROOT}/infra/java/metrics-{program}.yaml"


def properties(values: dict[str, str]) -> str:
    """The text of a properties file."""
    return "".join(f"{key}={value}\n" for key, value in values.items())
