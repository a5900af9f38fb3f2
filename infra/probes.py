"""Is a service ready? Each probe says what is missing, or None."""

import socket
import urllib.error
import urllib.request


def http(url: str, *, timeout_seconds: float = 10) -> str | None:
    """None when `url` answers 2xx."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_seconds):
            return None
    except urllib.error.HTTPError as error:
        return f"{url} answers {error.code}"
    except (OSError, ValueError) as error:
        return f"{url} does not answer ({error})"


def tcp(port: int, *, timeout_seconds: float = 3) -> str | None:
    """None when something accepts connections on the loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_seconds):
            return None
    except OSError as error:
        return f"port {port} does not accept connections ({error})"
