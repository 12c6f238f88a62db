"""From a record to its arrivals: which provider sent it, and what each of its entries announces."""

from typing import Any

from router.errors import Rejected
from router.notifications.envelope import opened
from router.notifications.providers import PROVIDERS, Provider
from router.notifications.record import Arrival, Record

MAX_ENTRIES = 10_000


def decode(record: Record) -> list[Arrival | Rejected]:
    """Decode everything a record announces, in its order. Never raises: what is wrong is a value beside the good.

    An empty list is an event that announces nothing: a connection test, a tag, a folder marker.
    """
    try:
        envelope = opened(record)
        for provider in PROVIDERS:
            if provider.recognises(envelope):
                return _arrivals(provider, provider.entries(envelope), record)
    except Rejected as rejected:
        return [rejected]
    return [Rejected("unknown-format", f"neither {' nor '.join(provider.SHAPE for provider in PROVIDERS)}")]


def _arrivals(provider: Provider, entries: list[Any], record: Record) -> list[Arrival | Rejected]:
    if len(entries) > MAX_ENTRIES:
        raise Rejected("too-large", f"{len(entries)} {provider.ENTRIES}; at most {MAX_ENTRIES} are read")
    every: list[Arrival | Rejected] = []
    for index, entry in enumerate(entries):
        try:
            found = provider.arrival(entry, record)
        except Rejected as rejected:
            every.append(_placed(rejected, provider, index))
        else:
            if found is not None:
                every.append(found)
    return every


def _placed(rejected: Rejected, provider: Provider, index: int) -> Rejected:
    """Say which of several entries it was."""
    if not provider.ENTRIES:
        return rejected
    return Rejected(rejected.reason, f"{provider.ENTRIES}[{index}]: {rejected.detail}")
