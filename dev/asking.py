"""Questions to the parts of the stack that speak HTTP, on this machine alone."""

from __future__ import annotations

import ssl

import httpx

# One for all: to read the CAs for each question, of which http has no need, took longer than the question.
CLIENT = httpx.Client(timeout=2, trust_env=False, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def says_ok(url: str) -> bool:
    """Whether it answers, and with 200."""
    try:
        return CLIENT.get(url).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
