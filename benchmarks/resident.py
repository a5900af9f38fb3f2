"""How much memory a service of the stack holds, with all that it has started."""

import psutil

from millrace.adapters import supervised


def service_bytes(service: str) -> int:
    """The resident sets of a service's processes, bytes."""
    root = psutil.Process(supervised.demand_pid(service))
    return sum(one.memory_info().rss for one in [root, *root.children(recursive=True)])
