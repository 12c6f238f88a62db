"""Prefect's webhook: a hint that a run has ended. The sweep finds out by itself what a hint does not tell."""

import hmac
import json
from collections.abc import Callable
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MAX_BODY_BYTES = 64 * 1024


def webhook_routes(secret: str, hint: Callable[[str], None]) -> list[Route]:
    """Make the routes; `hint` is called with the id of the run."""

    async def prefect_webhook(request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get("x-autoloader-secret", "").encode(), secret.encode()):
            return JSONResponse({"error": "wrong X-Autoloader-Secret"}, 403)
        run_id = _run_id(await _body(request))
        if run_id is None:
            return JSONResponse({"error": "a JSON object with flow_run_id, a UUID, is needed"}, 400)
        hint(run_id)
        return JSONResponse({}, 202)

    return [Route("/webhooks/prefect", prefect_webhook, methods=["POST"])]


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
