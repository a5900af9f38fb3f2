"""`make clean`: no data is left. Tools and environments hold none and take long to make: they stay unless asked for."""

import shutil
from pathlib import Path

from infra.paths import TOOLS, VENV, short_folder
from infra.services.postgres import outside_room
from millrace.settings import Settings, env_file


def what_is_there(settings: Settings, *, everything: bool) -> list[Path]:
    """What would go: state and sockets of this stack, its env file, and on request what the set-up made."""
    state = [path for path in settings.home.glob("*") if path != TOOLS] if settings.home.exists() else []
    made = [TOOLS, VENV] if everything else []
    paths = [*state, short_folder(settings.home), outside_room(settings), env_file(), *made]
    # The env file of a second stack lies in its state folder: once is enough.
    return [path for path in dict.fromkeys(paths) if path.exists()]


def remove(paths: list[Path]) -> None:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
