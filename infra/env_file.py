"""The env file: what is secret or differs from clone to clone, generated once, mode 600."""

import os
import secrets
from base64 import urlsafe_b64encode
from pathlib import Path

from pydantic import SecretStr

from infra.files import write_private
from millrace.settings import Settings, env_file

HEAD = """\
# Generated once; never commit. Every setting is described in include/millrace/settings.py.
# A password that changes here changes in Postgres at the next `make up`, except the superuser's own.
"""


def ensure_env_file(path: Path) -> bool:
    """Makes the file with fresh secrets if there is none, and adds secrets that a newer version introduced.

    Returns whether it wrote. What the file already says is kept to the letter.
    """
    known = path.read_text() if path.exists() else HEAD + _of_this_stack()
    names = {line.partition("=")[0].strip() for line in known.splitlines() if "=" in line and not line.startswith("#")}
    missing = [f"{name}={value}" for name, value in _secrets().items() if name not in names]
    if path.exists() and not missing:
        path.chmod(0o600)
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, known.rstrip("\n") + "\n" + "".join(line + "\n" for line in missing))
    return True


def main() -> None:
    """`python -m infra.env_file`: for the container stack, which needs the file and nothing else."""
    if ensure_env_file(env_file()):
        print(f"wrote {env_file()} (mode 600): the passwords of this stack")


def _secrets() -> dict[str, str]:
    """One random value for each secret setting."""
    fields = [name for name, field in Settings.model_fields.items() if field.annotation is SecretStr]
    values = {f"MILLRACE_{name.upper()}": secrets.token_urlsafe(24) for name in fields}
    # Fernet wants 32 bytes in URL-safe base64, with padding.
    values["MILLRACE_AIRFLOW_FERNET_KEY"] = urlsafe_b64encode(secrets.token_bytes(32)).decode()
    # Signed with SHA-512, whose keys should be as long as its blocks.
    values["MILLRACE_AIRFLOW_JWT_SECRET"] = secrets.token_urlsafe(64)
    values["MILLRACE_S3_ACCESS_KEY"] = f"millrace-{secrets.token_hex(4)}"
    # The form of `millrace.domain.api_keys`, which this side of the house does not know.
    values["MILLRACE_API_KEY"] = f"mr_{secrets.token_hex(6)}_{secrets.token_hex(32)}"
    values["MILLRACE_RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    return values


def _of_this_stack() -> str:
    """State folder and port offset, when this file is made for a second stack: whoever reads it finds that stack."""
    names = ("MILLRACE_HOME", "MILLRACE_PORT_OFFSET")
    return "".join(f"{name}={os.environ[name]}\n" for name in names if name in os.environ)


if __name__ == "__main__":
    main()
