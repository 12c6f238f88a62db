"""Who schedules and who publishes, as `adapters.postgres.lease` keeps it."""

from datetime import timedelta

from router.ports.lease import LeaseLost
from tests.fakes.database import FakeDatabase, LeaseRow

TERM = timedelta(seconds=10)


class FakeLease:
    """See `ports.lease.Lease`."""

    def __init__(self, database: FakeDatabase, holder: str) -> None:
        self._database = database
        self._holder = holder

    async def hold(self, role: str) -> int | None:
        now = self._database.begin()
        row = self._database.leases.setdefault(role, LeaseRow(self._holder, 0, now))
        if row.holder != self._holder and row.expires > now:
            return None
        if row.holder != self._holder or row.expires <= now:
            row.epoch += 1
        row.holder, row.expires = self._holder, now + TERM
        return row.epoch

    async def release(self, role: str | None = None) -> None:
        now = self._database.begin()
        for of, row in self._database.leases.items():
            if row.holder == self._holder and role in {of, None}:
                row.expires = now

    def check(self, role: str, epoch: int) -> None:
        """Before a write changes anything."""
        row = self._database.leases.get(role)
        if row is None or (row.holder, row.epoch) != (self._holder, epoch):
            raise LeaseLost(f"the lease for {role} has gone to another router")
