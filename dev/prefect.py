"""Prefect's server on PostgreSQL, and the variables that keep its programs away from the user's own Prefect."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from dev import postgres
from dev.asking import says_ok
from dev.parts import Service
from dev.ports import ADDRESS, answers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dev.home import Home


def service(home: Home, ports: Mapping[str, int]) -> Service:
    port = ports["prefect"]
    return Service(
        name="prefect",
        needs=("postgres",),
        command=lambda: [
            *(sys.executable, "-m", "prefect", "server", "start"),
            *("--host", ADDRESS, "--port", str(port)),
        ],
        environment={
            "PREFECT_API_DATABASE_CONNECTION_URL": postgres.url(
                home, ports["postgres"], "prefect", scheme="postgresql+asyncpg"
            ),
            # By default 5 stay, and each that is needed beside them is made anew, with questions for the types it has.
            "PREFECT_SERVER_DATABASE_SQLALCHEMY_POOL_SIZE": "10",
            "PREFECT_SERVER_DATABASE_SQLALCHEMY_MAX_OVERFLOW": "5",
            "PREFECT_SERVER_API_HOST": ADDRESS,
            "PREFECT_SERVER_API_PORT": str(port),  # or its pages call the default port
        },
        ready=lambda: answers(port) and says_ok(f"http://{ADDRESS}:{port}/api/health"),
        start_seconds=120,  # the first start makes the tables
    )


def api_url(ports: Mapping[str, int]) -> str:
    return f"http://{ADDRESS}:{ports['prefect']}/api"


def client_settings(home: Home, ports: Mapping[str, int]) -> dict[str, str]:
    """For every program that talks to this server."""
    return {
        "PREFECT_API_URL": api_url(ports),
        "PREFECT_HOME": str(home.prefect),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
