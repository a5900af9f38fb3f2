"""`python -m docs.drift`: 0 when the pages say what the code does. `--write` writes the generated ones anew."""

import sys

from docs.drift.generated import stale, write
from docs.drift.named import pages, wrong_names


def main(arguments: list[str]) -> int:
    if arguments == ["--write"]:
        for path in write():
            print(f"wrote {path}")
        return 0
    found = [*stale(), *(why for page in pages() for why in wrong_names(page))]
    for why in found:
        print(why, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
