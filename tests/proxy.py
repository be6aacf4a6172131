"""A TCP proxy before PostgreSQL that breaks as networks and poolers do."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Proxy:
    """
    `break_at` is a piece of what a client sends, a statement's text: that connection is `cut` before it is passed on,
    or once the server has carried it out and answered (`swallow`), or hears nothing any more (`freeze`).
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.break_at: tuple[bytes, str] | None = None
        self.frozen = threading.Event()
        self.connections: list[socket.socket] = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            self.connections += [client, server]
            try:
                server.connect(self.target)
            except OSError:
                client.close()
                continue
            Pair(self, client, server)

    def cut(self) -> None:
        for connection in self.connections:
            reset(connection)
        self.connections.clear()

    def close(self) -> None:
        with suppress(OSError):  # it may be closed
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()


class Pair:
    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self.proxy, self.client, self.server = proxy, client, server
        self.fate = ""
        threading.Thread(target=self.pump, args=(client, server), daemon=True).start()
        threading.Thread(target=self.pump, args=(server, client), daemon=True).start()

    def pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                if source is self.client and self.proxy.break_at and self.proxy.break_at[0] in data:
                    self.fate, self.proxy.break_at = self.proxy.break_at[1], None
                if self.fate == "freeze" or self.proxy.frozen.is_set():
                    continue
                if self.fate == "cut" or (self.fate == "swallow" and source is self.server):
                    break
                target.sendall(data)
        except OSError:
            pass
        reset(self.client)
        reset(self.server)


def reset(connection: socket.socket) -> None:
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    connection.close()


@contextmanager
def running(target: str) -> Iterator[Proxy]:
    """`target` is the path of PostgreSQL's socket."""
    proxy = Proxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
