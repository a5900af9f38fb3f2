"""The keeper of the connectors: makes what each problem's `changes` need, also of a problem that comes later, and what
the warehouse needs to publish its serving tables."""

import json

from infra.paths import VENV
from infra.services.service import Launch, Service, started_file
from millrace.settings import Settings


def launch(_settings: Settings) -> Launch:
    return Launch(argv=[str(VENV / "bin" / "python"), "-m", "infra.connectors"])


def waiting_for(settings: Settings) -> str | None:
    """In words, what the keeper's last look found missing; None when every connector runs."""
    report, started = settings.home / "connectors" / "missing.json", started_file("connectors", settings)
    if not report.exists() or not started.exists() or report.stat().st_mtime <= started.stat().st_mtime:
        return "it has not looked yet"
    missing: dict[str, str] = json.loads(report.read_text())
    return next((f"{name}: {words}" for name, words in missing.items()), None)


SERVICE = Service(
    name="connectors",
    title="Connectors",
    launch=launch,
    waiting_for=waiting_for,
    after=("source_database", "postgres", "kafka", "kafka_connect"),
    patience_seconds=120,
)
