"""Whether the router lives, whether it is ready, and its metrics."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

OPENMETRICS = "application/openmetrics-text"


class Exposed(Protocol):
    """What the router tells Prometheus."""

    def __call__(self, *, with_examples: bool) -> Awaitable[bytes]:
        """The text; with examples it is OpenMetrics."""


def health_routes(
    stuck: Callable[[], Mapping[str, str]],
    not_ready: Callable[[], Mapping[str, str]],
    exposition: Exposed,
) -> list[Route]:
    """Make the routes; `stuck` and `not_ready` name what is wrong, empty when all is well."""

    async def livez(_request: Request) -> Response:
        return _health(stuck())

    async def readyz(_request: Request) -> Response:
        return _health(not_ready())

    async def metrics(request: Request) -> Response:
        asked = OPENMETRICS in request.headers.get("accept", "")
        told = f"{OPENMETRICS}; version=1.0.0; charset=utf-8" if asked else "text/plain; version=0.0.4"
        return Response(await exposition(with_examples=asked), media_type=told)

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]


def _health(trouble: Mapping[str, str]) -> Response:
    return JSONResponse({"ok": not trouble, "trouble": dict(trouble)}, 503 if trouble else 200)
