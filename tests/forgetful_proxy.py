"""A proxy in front of a server's socket that passes a chosen request on and loses its reply."""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class ForgetfulProxy:
    """Forwards bytes both ways; `lose(n)` cuts the next n connections whose request holds EVALSHA.

    With `before` the request does not even reach the server.
    """

    def __init__(self, directory: Path, server: str) -> None:
        self.url = f"unix://{directory / 'proxy.sock'}"
        self._server = server.removeprefix("unix://")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / "proxy.sock"))
        self._listener.listen()
        self._to_lose = 0
        self._before = False
        self.lost = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self, replies: int, *, before: bool = False) -> None:
        self._to_lose, self._before = replies, before

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(peer,), daemon=True).start()

    def _pass_on(self, peer: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._server)
        with peer, server, selectors.DefaultSelector() as selector, suppress(OSError):
            selector.register(peer, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, peer)
            while True:
                for key, _ in selector.select():
                    data = key.fileobj.recv(1 << 20)
                    if not data:
                        return
                    if key.fileobj is peer and self._to_lose and b"EVALSHA" in data:
                        self._to_lose -= 1
                        self.lost += 1
                        if not self._before:
                            server.sendall(data)
                            server.recv(1 << 20)  # it was carried out; nobody will hear of it
                        return
                    key.data.sendall(data)


@contextmanager
def forgetful_proxy(directory: Path, server: str) -> Iterator[ForgetfulProxy]:
    proxy = ForgetfulProxy(directory, server)
    try:
        yield proxy
    finally:
        proxy.close()
