"""Ray: one head node with dashboard and job API; `RAY_ADDRESS` of a cluster replaces it."""

import shutil
from pathlib import Path

from infra import probes
from infra.paths import VENV, short_folder
from infra.services.service import Launch, Service
from millrace.settings import Settings

OBJECT_STORE_BYTES = 512 * 1024**2


def launch(settings: Settings) -> Launch:
    return Launch(
        argv=[
            str(VENV / "bin" / "ray"),
            "start",
            "--head",
            "--block",
            # With this address every gRPC server of Ray listens on loopback only.
            "--node-ip-address=127.0.0.1",
            f"--port={settings.port('ray_gcs')}",
            "--dashboard-host=127.0.0.1",
            f"--dashboard-port={settings.port('ray_dashboard')}",
            f"--dashboard-agent-listen-port={settings.port('ray_agent')}",
            f"--ray-client-server-port={settings.port('ray_client')}",
            # Free ports instead of 10002-19999, where other services of the stack live.
            "--min-worker-port=0",
            "--max-worker-port=0",
            "--num-cpus=2",
            f"--object-store-memory={OBJECT_STORE_BYTES}",
            "--disable-usage-stats",
            # Ray puts sockets below this folder, and a socket's path may have 107 bytes only.
            f"--temp-dir={_sessions(settings)}",
        ],
        environment=token(settings)
        | {
            # On a busy machine the raylet takes longer than the default of 60 s.
            "RAY_raylet_start_wait_time_s": "180",
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "RAY_DISABLE_IMPORT_WARNING": "1",
        },
    )


def prepare(settings: Settings) -> None:
    """Removes the sessions of earlier days: Ray starts a new folder each time and keeps them all."""
    shutil.rmtree(_sessions(settings), ignore_errors=True)


def waiting_for(settings: Settings) -> str | None:
    """The dashboard answers before the raylet, which runs the work, is there: both must."""
    return probes.http(f"{settings.url('ray_dashboard')}/api/gcs_healthz") or probes.http(
        f"{settings.url('ray_agent')}/api/local_raylet_healthz"
    )


def token(settings: Settings) -> dict[str, str]:
    """What every process needs that talks to the head: Ray reads its token from the environment."""
    value = settings.ray_auth_token.get_secret_value()
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": value} if value else {"RAY_AUTH_MODE": "disabled"}


def _sessions(settings: Settings) -> Path:
    return short_folder(settings.home) / "ray"


SERVICE = Service(
    name="ray",
    title="Ray head",
    port="ray_dashboard",
    launch=launch,
    prepare=prepare,
    waiting_for=waiting_for,
    wanted=lambda settings: not settings.ray_address,
    patience_seconds=240,
    # Its own orderly end waits long for workers, and nothing of it is kept.
    stop_seconds=4,
)
