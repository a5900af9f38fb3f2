"""`make clean`: no data is left. What holds none stays unless asked for: the env file, tools and environments."""

import shutil
from pathlib import Path

from infra.paths import TOOLS, VENV, short_folder
from infra.services.postgres_server import outside_room
from infra.stack import supervisor
from millrace.contract.errors import MillraceError
from millrace.settings import Settings, env_file


def what_is_there(settings: Settings, *, everything: bool) -> list[Path]:
    """What would go: state and sockets of this stack; on request the env file and what the set-up made, too.

    Raises `MillraceError` when another stack that lives below the same folder is up.
    """
    kept = set() if everything else {TOOLS, env_file()}
    state = [path for path in settings.home.glob("*") if path not in kept] if settings.home.exists() else []
    for folder in state:
        _refuse_a_running_stack(folder, settings)
    made = [env_file(), VENV] if everything else []
    paths = [*state, short_folder(settings.home), outside_room(settings), *made]
    return [path for path in dict.fromkeys(paths) if path.exists()]


def remove(paths: list[Path]) -> None:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _refuse_a_running_stack(folder: Path, settings: Settings) -> None:
    other = settings.model_copy(update={"home": folder})
    if supervisor.daemon(other) is not None:
        raise MillraceError(
            "another stack lives below the folder to be removed, and it is up",
            place=str(folder),
            found=f"its supervisord, process {supervisor.daemon(other)}",
            expected="no running stack",
            fix=f"MILLRACE_HOME={folder} make down",
        )
