"""`python -m millrace.adapters.operator_key`: the key of the env file holds, as client `operator`, for everything.

`make up` does so each time, and waits until every replica takes it: the next command may ask at once.
"""

import sys

from millrace.adapters import api_keys
from millrace.contract.errors import MillraceError
from millrace.domain.api_keys import SCOPES
from millrace.settings import get_settings

CLIENT = "operator"
ACTOR = "make up"


def register() -> None:
    """Register the key of this stack's env file.

    Raises:
        MillraceError: If it is no key, was revoked, or the database does not answer.
    """
    api_keys.register(
        get_settings().api_key.get_secret_value(),
        CLIENT,
        scopes=list(SCOPES),
        actor=ACTOR,
        reason="the key of the env file, for commands, deployments and drills",
    )


def main() -> None:
    try:
        register()
    except MillraceError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
