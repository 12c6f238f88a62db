"""A line to a server that loses an answer when told to: the server has done what it was asked, and nobody hears it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Line:
    """Passes on what it is given in both directions."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._words: bytes | None = None
        self._meanwhile: Callable[[], object] = bool
        self.lost = 0

    def lose_the_answer_to(self, words: bytes, meanwhile: Callable[[], object] = bool) -> None:
        """To the next request in which these stand; then something happens meanwhile, and both ends are hung up."""
        self._words, self._meanwhile = words, meanwhile

    def carry(self, client: socket.socket) -> None:
        server, is_lost = socket.create_connection(self._server), threading.Event()
        threading.Thread(target=self._answers, args=(server, client, is_lost), daemon=True).start()
        with suppress(OSError):
            while piece := client.recv(2**16):
                if self._words is not None and self._words in piece:
                    self._words = None
                    is_lost.set()
                server.sendall(piece)
        _hang_up(server, client)

    def _answers(self, server: socket.socket, client: socket.socket, is_lost: threading.Event) -> None:
        with suppress(OSError):
            while piece := server.recv(2**16):
                if is_lost.is_set():
                    self.lost += 1
                    self._meanwhile()
                    break
                client.sendall(piece)
        _hang_up(server, client)


@contextmanager
def line(port: int, server: tuple[str, int], kind: type[Line] = Line) -> Iterator[Line]:
    """One from a loopback port to the server."""
    made = kind(server)
    with socket.create_server(("127.0.0.1", port)) as listening:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listening.accept()
                    threading.Thread(target=made.carry, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield made
        listening.shutdown(socket.SHUT_RDWR)


def _hang_up(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
