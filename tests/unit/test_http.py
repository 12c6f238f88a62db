"""Prefect's webhook comes in, health goes out."""

from collections.abc import Mapping

import httpx
import pytest
from starlette.applications import Starlette

from router.adapters.http.health import health_routes
from router.adapters.http.server import PortTaken, Server
from router.adapters.http.webhooks import MAX_BODY_BYTES, webhook_routes

RUN = "6f2c0000-0000-4000-8000-000000000000"


async def exposition(*, with_examples: bool) -> bytes:
    return b"up 1\n# EOF" if with_examples else b"up 1"


def client(hints: list[str], trouble: Mapping[str, str] | None = None) -> httpx.AsyncClient:
    troubles = trouble or {}
    routes = [
        *webhook_routes("s3cret", hints.append),
        *health_routes(lambda: troubles, lambda: troubles, exposition),
    ]
    return httpx.AsyncClient(transport=httpx.ASGITransport(Starlette(routes=routes)), base_url="http://router")


@pytest.mark.parametrize(
    ("accept", "told", "text"),
    [
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "application/openmetrics-text", "up 1\n# EOF"),
        ("*/*", "text/plain", "up 1"),
    ],
)
async def test_who_asks_for_openmetrics_gets_it(accept: str, told: str, text: str) -> None:
    answer = await client([]).get("/metrics", headers={"Accept": accept})

    assert (answer.headers["content-type"].partition(";")[0], answer.text) == (told, text)


async def test_a_webhook_with_the_secret_is_a_hint() -> None:
    hints: list[str] = []

    answer = await client(hints).post(
        "/webhooks/prefect", json={"flow_run_id": RUN}, headers={"X-Autoloader-Secret": "s3cret"}
    )

    assert (answer.status_code, hints) == (202, [RUN])


@pytest.mark.parametrize("secret", ["", "wrong", "ü"])
async def test_a_forged_webhook_changes_nothing(secret: str) -> None:
    hints: list[str] = []

    answer = await client(hints).post(
        "/webhooks/prefect", json={"flow_run_id": RUN}, headers={b"X-Autoloader-Secret": secret.encode()}
    )

    assert (answer.status_code, hints) == (403, [])


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"{}", b'{"flow_run_id": 5}', b'{"flow_run_id": "x"}', b"[" * 60_000, b" " * MAX_BODY_BYTES * 2],
)
async def test_a_webhook_without_a_run_id_is_refused(body: bytes) -> None:
    hints: list[str] = []

    answer = await client(hints).post("/webhooks/prefect", content=body, headers={"X-Autoloader-Secret": "s3cret"})

    assert (answer.status_code, hints) == (400, [])


async def test_health_names_what_is_wrong() -> None:
    well, ill = client([]), client([], {"intake": "Kafka: away"})

    assert [(await well.get(path)).status_code for path in ("/livez", "/readyz")] == [200, 200]
    assert (await ill.get("/livez")).status_code == 503
    assert (await ill.get("/readyz")).json() == {"ok": False, "trouble": {"intake": "Kafka: away"}}


async def test_metrics_are_text() -> None:
    assert (await client([]).get("/metrics")).text == "up 1"


def test_a_taken_port_is_one_clear_line() -> None:
    first = Server([], "127.0.0.1", 0)

    with pytest.raises(PortTaken, match="set AUTOLOADER_HTTP_PORT"):
        Server([], "127.0.0.1", first.port)
    first.close()
