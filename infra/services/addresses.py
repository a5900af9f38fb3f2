"""`make open`: where a person looks, and with which login."""

from millrace.settings import Settings


def lines(settings: Settings) -> list[str]:
    """Addresses and logins, as text. Holds passwords: for the person who asks for it, never for a log."""
    admin = f"{settings.airflow_admin_user} / {settings.airflow_admin_password.get_secret_value()}"
    keys = f"{settings.s3_access_key} / {settings.s3_secret_key.get_secret_value()}"
    token = f"token {settings.ray_auth_token.get_secret_value()}"
    rows = [
        ("Airflow", settings.url("airflow"), "DAGs, runs, the asset graph", admin),
        ("MLflow", settings.mlflow_url, "runs, candidates, champions", ""),
        ("MinIO", settings.url("minio_console"), "landing files, the lake, reports", keys),
        ("Ray", settings.ray_url, "the search for hyperparameters", token),
        ("Serving 1", settings.url("serving_1"), "try a prediction; /docs is the API", "MILLRACE_API_KEY in .env"),
        ("Serving 2", settings.url("serving_2"), "the same", ""),
        ("Spark Connect", f"sc://localhost:{settings.port('spark_connect')}", "MILLRACE_SPARK_CONNECT_TOKEN", ""),
        (
            "Postgres",
            f"127.0.0.1:{settings.port('postgres')}",
            "database warehouse, MILLRACE_WAREHOUSE_DB_PASSWORD",
            "",
        ),
        (
            "Source",
            f"127.0.0.1:{settings.port('source_database')}",
            "database source, role application, MILLRACE_SOURCE_APPLICATION_PASSWORD",
            "",
        ),
        ("Kafka", settings.kafka_servers, "the topics of changes", ""),
        ("Connect", f"{settings.kafka_connect_url}/connectors", "user millrace, MILLRACE_KAFKA_CONNECT_PASSWORD", ""),
        ("Kafka's metrics", f"{settings.url('kafka_metrics')}/metrics", "for Prometheus: broker and its JVM", ""),
        (
            "Connect's",
            f"{settings.url('kafka_connect_metrics')}/metrics",
            "for Prometheus: connectors, Debezium, JVM",
            "",
        ),
    ]
    shown = []
    for name, address, words, login in rows:
        shown.append(f"{name:<14} {address:<28} {words}")
        if login:
            shown.append(f"{'':<14} {login}")
    return shown
