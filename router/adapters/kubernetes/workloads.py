"""Kueue's Workloads: what a Job waits for, in Kueue's own words.

The account of our pod has to be allowed to list them (`k8s/components/kueue`). A Workload holds the Job's pods with
their labels, and so the id of its run.
"""

import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from router.errors import Transient
from schemas.report import readable

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
VERSION = "v1beta2"
REQUEST_SECONDS = 10
ADMITTING = ("Evicted", "QuotaReserved", "Admitted")  # conditions, from what is said first to what is said last


class Workloads:
    """Those of the cluster we are in: `address` is its server's; `account` is where a pod finds its token."""

    def __init__(
        self, address: str, account: Path = ACCOUNT, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._address = address
        self._account = account
        self._transport = transport

    @classmethod
    def here(cls, environ: Mapping[str, str]) -> "Workloads | None":
        """Find the cluster we are in; None outside of one, or with an account that may not ask."""
        host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT", "443")
        return cls(f"https://{host}:{port}") if host and (ACCOUNT / "token").exists() else None

    async def said(self, run_id: str, namespace: str) -> str | None:
        """The last word on the Job of a run; None when there is none of it. Raises Transient."""
        path = f"/apis/kueue.x-k8s.io/{VERSION}/namespaces/{namespace}/workloads"
        try:
            token = (self._account / "token").read_text()
            verify = ssl.create_default_context(cafile=str(self._account / "ca.crt"))
            async with httpx.AsyncClient(
                base_url=self._address, timeout=REQUEST_SECONDS, verify=verify, transport=self._transport
            ) as http:
                answer = await http.get(path, headers={"Authorization": f"Bearer {token}"})
                answer.raise_for_status()
                return next(_words(answer.json(), run_id), None)
        except (OSError, ValueError, httpx.HTTPError) as error:
            raise Transient(f"Kueue's workloads are not told: {readable(str(error))}") from error


def _words(answer: Any, run_id: str) -> Iterator[str]:
    for workload in answer.get("items", ()) if isinstance(answer, dict) else ():
        match workload:
            case {"spec": {"podSets": [{"template": {"metadata": {"labels": {"prefect.io/flow-run-id": of}}}}, *_]}}:
                if of == run_id:
                    yield _last_word(workload.get("status", {}).get("conditions", []))
            case _:
                continue


def _last_word(conditions: list[dict[str, Any]]) -> str:
    told = {one.get("type"): one for one in conditions}
    for kind in reversed(ADMITTING):
        if (one := told.get(kind)) is not None:
            return readable(f"{kind} is {one.get('status')}: {one.get('message') or one.get('reason')}")
    return "it is not looked at yet"
