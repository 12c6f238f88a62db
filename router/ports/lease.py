"""Who may schedule and publish: one router each, the others stand by."""

from typing import Protocol

from router.errors import Transient


class LeaseLost(Transient):
    """Another router holds the lease by now: what this one was about to write was not written."""


class Lease(Protocol):
    """Who may schedule and publish: one router each, others stand by."""

    async def hold(self, role: str) -> int | None:
        """The epoch of the lease, taken or kept; None while another holds it."""

    async def release(self, role: str) -> None:
        """Let another take it at once, if we hold it."""
