"""The reference of the settings, from the settings model."""

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from docs.drift.markdown import table
from millrace.settings import ROOT, STANDARD_PORTS, Settings

HEAD = """\
# Settings

Each setting is an environment variable, or a line `NAME=value` in `.env` in the project root (or in the file that
`MILLRACE_ENV_FILE` names); the environment wins. `make setup` writes `.env` once, with fresh secrets, mode 600.
`make up` takes changes over: it restarts the services that they concern.
"""


def settings_page() -> str:
    """The page."""
    rows = []
    for name, field in Settings.model_fields.items():
        secret = field.annotation is SecretStr
        rows.append(
            (f"`MILLRACE_{name.upper()}`", "secret" if secret else _default(field.default), field.description or "")
        )
    ports = [(f"`{name}`", str(port)) for name, port in STANDARD_PORTS.items()]
    return "\n".join(
        [
            HEAD,
            table(("setting", "default", "meaning"), rows),
            "## Ports\n\n`MILLRACE_PORT_OFFSET` is added to each of them. All are on 127.0.0.1.\n",
            table(("service", "port"), ports),
        ]
    )


def _default(default: object) -> str:
    if default in ("", (), PydanticUndefined):
        return ""
    return f"`{str(default).removeprefix(f'{ROOT}/')}`"
