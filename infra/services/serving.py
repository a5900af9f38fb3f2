"""Two replicas of the serving API: enough to see a rollout pass from one to the other."""

from infra import probes
from infra.paths import ROOT, VENV
from infra.services.service import Launch, Service
from millrace.settings import Settings


def _replica(name: str) -> Service:
    def launch(settings: Settings) -> Launch:
        server = [str(VENV / "bin" / "uvicorn"), "serving.app:app", "--host=127.0.0.1", f"--port={settings.port(name)}"]
        return Launch(argv=[*server, "--no-access-log"], environment={"MILLRACE_REPLICA": name})

    return Service(
        name=name,
        title=f"Serving replica {name[-1]}",
        port=name,
        launch=launch,
        waiting_for=lambda settings: probes.http(f"{settings.url(name)}/healthz"),
        wanted=lambda _settings: (ROOT / "serving" / "app.py").exists(),
        after=("postgres", "minio"),
        # The first start of a clone compiles every module that it imports, beside everything else that starts.
        patience_seconds=180,
    )


SERVICES = (_replica("serving_1"), _replica("serving_2"))
