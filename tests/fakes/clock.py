"""Time that stands until it is told to pass, and ids in a row."""

from datetime import datetime, timedelta


class FakeClock:
    """See `ports.clock.Clock`."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._batches = 0

    def now(self) -> datetime:
        return self._now

    def new_batch_id(self) -> str:
        self._batches += 1
        return f"b-{self._batches:04}"

    def pass_time(self, span: timedelta) -> None:
        self._now += span


class SkewedClock:
    """The clock of another host, which is wrong by so much."""

    def __init__(self, clock: FakeClock, skew: timedelta) -> None:
        self._clock = clock
        self._skew = skew

    def now(self) -> datetime:
        return self._clock.now() + self._skew

    def new_batch_id(self) -> str:
        return self._clock.new_batch_id()
