"""An object store that answers late, or 503: a proxy in front of the real one.

Requests pass unchanged but for `Connection: close`, which no signature covers: each then has a connection of its own.
"""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from urllib.parse import urlsplit

from millrace.settings import get_settings

CHUNK_BYTES = 1 << 16
Refuses = Callable[[str], bool]
"""Whether a request is answered 503, by its first line, such as `PUT /bucket/key HTTP/1.1`."""
Delay = Callable[[str], float]
"""How long the answer to a request is held back, seconds."""
REFUSAL = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>SlowDown</Code>'
    b"<Message>Resource requested is unreadable, please reduce your request rate</Message></Error>"
)
REFUSED = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
)


class FaultyStore(ThreadingTCPServer):
    """The proxy."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, refuses: Refuses, delay_seconds: Delay) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.refuses, self.delay_seconds = refuses, delay_seconds
        self.requests = self.refused = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Request(BaseRequestHandler):
    def handle(self) -> None:
        store = self.server
        assert isinstance(store, FaultyStore)
        client: socket.socket = self.request
        head, body = _head(client)
        if not head:  # a connection that was opened in advance, and not used
            return
        store.requests += 1
        asked = head.partition(b"\r\n")[0].decode()
        if store.refuses(asked):
            store.refused += 1
            client.sendall(REFUSED % (len(REFUSAL), REFUSAL))
            return
        real = urlsplit(get_settings().s3_url)
        with socket.create_connection((str(real.hostname), real.port or 80)) as server:
            server.sendall(head + b"\r\nConnection: close\r\n\r\n" + body)
            Thread(target=_pass_on, args=(client, server), daemon=True).start()
            time.sleep(store.delay_seconds(asked))  # the fault itself
            _pass_on(server, client)


def _head(client: socket.socket) -> tuple[bytes, bytes]:
    """The head of a request without a word on keeping the connection, and what came of its body by then."""
    read = b""
    while b"\r\n\r\n" not in read:
        chunk = client.recv(CHUNK_BYTES)
        if not chunk:
            return b"", b""
        read += chunk
    head, _, body = read.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b"\r\n".join(lines), body


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Until one of the two has ended."""
    try:
        while chunk := source.recv(CHUNK_BYTES):
            target.sendall(chunk)
    except OSError:
        return


@contextmanager
def faulty_store(
    *, refuses: Refuses = lambda _asked: False, delay_seconds: Delay = lambda _asked: 0.0
) -> Iterator[FaultyStore]:
    """Such a store, as long as the block runs."""
    with FaultyStore(refuses, delay_seconds) as store:
        Thread(target=store.serve_forever, daemon=True).start()
        try:
            yield store
        finally:
            store.shutdown()
