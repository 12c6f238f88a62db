"""How much of a poll is recorded at once, and taken in at a stretch: bounded by what it costs, whatever was sent.

A poll is bounded by records; but a record may be a megabyte, or hold ten thousand entries, or make a hundred dead
letters. So all that it comes to is counted as bytes.
"""

from dataclasses import dataclass

from router.notifications.record import Record

PORTION_BYTES = 16 * 1024**2  # more than a poll of notifications as storages send them
TURN_BYTES = 128 * 1024  # taken in at a stretch, before others have their turns: about a hundred of these
ENTRY_BYTES = 512  # what a record, and each of its entries, costs besides the bytes of its value


@dataclass(frozen=True, slots=True)
class Portion:
    """So many bytes make a transaction. What failed is tried in halves: it may have been too much for the ledger."""

    bytes: int
    most: int

    def after_trouble(self) -> "Portion":
        """The portion after a failure: half as much, down to a record at a time."""
        return Portion(max(1, self.bytes // 2), self.most)

    def after_success(self) -> "Portion":
        """The portion after a whole poll: twice as much. Grown within one it might fail, and begin that poll anew."""
        return self if self.bytes == self.most else Portion(min(self.most, self.bytes * 2), self.most)


WHOLE_POLLS = Portion(PORTION_BYTES, PORTION_BYTES)


def weight(record: Record, entries: int) -> int:
    """What a record with so many entries comes to, without its dead letters."""
    return len(record.value or b"") + ENTRY_BYTES * (1 + entries)
