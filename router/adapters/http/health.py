"""Whether the router lives, whether it is ready, and its metrics."""

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


def health_routes(
    stuck: Callable[[], Mapping[str, str]],
    not_ready: Callable[[], Mapping[str, str]],
    exposition: Callable[[], Awaitable[bytes]],
) -> list[Route]:
    """Make the routes; `stuck` and `not_ready` name what is wrong, empty when all is well."""

    async def livez(_request: Request) -> Response:
        return _health(stuck())

    async def readyz(_request: Request) -> Response:
        return _health(not_ready())

    async def metrics(_request: Request) -> Response:
        return Response(await exposition(), media_type="text/plain; version=0.0.4")

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]


def _health(trouble: Mapping[str, str]) -> Response:
    return JSONResponse({"ok": not trouble, "trouble": dict(trouble)}, 503 if trouble else 200)
