"""HTTP: Prefect's webhook comes in, health and metrics go out.

POST /webhooks/prefect   header X-Autoloader-Secret, JSON with flow_run_id; 202, or 403 with a wrong secret
GET  /livez              200 while every stage makes progress, else 503 with the ones that do not
GET  /readyz             200 once every part the router needs has answered, else 503 with what does not
GET  /metrics            Prometheus
"""

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MAX_BODY_BYTES = 64 * 1024


def application(
    *,
    secret: str,
    hint: Callable[[str], None],
    stuck: Callable[[], Mapping[str, str]],
    not_ready: Callable[[], Mapping[str, str]],
    exposition: Callable[[], Awaitable[bytes]],
) -> Starlette:
    """The routes; `stuck` and `not_ready` name what is wrong, empty when all is well."""

    async def prefect_webhook(request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get("x-autoloader-secret", "").encode(), secret.encode()):
            return JSONResponse({"error": "wrong X-Autoloader-Secret"}, 403)
        run_id = _run_id(await _body(request))
        if run_id is None:
            return JSONResponse({"error": "a JSON object with flow_run_id, a UUID, is needed"}, 400)
        hint(run_id)
        return JSONResponse({}, 202)

    async def livez(_request: Request) -> Response:
        return _health(stuck())

    async def readyz(_request: Request) -> Response:
        return _health(not_ready())

    async def metrics(_request: Request) -> Response:
        return Response(await exposition(), media_type="text/plain; version=0.0.4")

    return Starlette(
        routes=[
            Route("/webhooks/prefect", prefect_webhook, methods=["POST"]),
            Route("/livez", livez),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
        ]
    )


def _health(trouble: Mapping[str, str]) -> Response:
    return JSONResponse({"ok": not trouble, "trouble": dict(trouble)}, 503 if trouble else 200)


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            return b""
    return body


def _run_id(body: bytes) -> str | None:
    try:
        return str(UUID(json.loads(body)["flow_run_id"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):  # nested a thousand deep
        return None
