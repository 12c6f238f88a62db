"""The HTTP server: uvicorn inside the router's loop."""

import asyncio
import socket
from collections.abc import Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route


class PortTaken(Exception):
    """The HTTP port cannot be used: which one, and what to do."""


class _Patient(uvicorn.Server):
    """uvicorn, which by itself looks ten times a second whether it is to exit: here it is cancelled."""

    async def main_loop(self) -> None:
        while True:
            await self.on_tick(0)  # the time for the answers' `Date`
            await asyncio.sleep(1)


class Server:
    """Serves some routes. The port is taken before anything else begins."""

    def __init__(self, routes: Sequence[Route], host: str, port: int) -> None:
        app, self._socket = Starlette(routes=routes), _bound(host, port)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        self._server = _Patient(config)

    async def run(self) -> None:
        """Serve until cancelled. uvicorn's own `serve` would take the process's signals, which are the app's."""
        await self._server._serve([self._socket])

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()


def _bound(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise PortTaken(
            f"cannot listen on {host}:{port}: {error.strerror}; stop what uses it or set AUTOLOADER_HTTP_PORT"
        ) from error
