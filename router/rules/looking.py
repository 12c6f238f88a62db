"""When an object is looked at, and what the answer means: an event is a hint that it is time to look.

| the storage says  | and                         | then                                                           |
|-------------------|-----------------------------|----------------------------------------------------------------|
| it is there       |                             | that version waits, anew if it had ended without a load        |
| it is not there   | a removal was told          | what waits of it is `removed`; looked at again, to be sure     |
|                   | a look is left              | looked at again                                                |
|                   | no look is left             | `missing`, if an outcome is owed                               |
| nothing           |                             | asked again later                                              |
| (it is not asked) | its source takes it no more | `failed`: not-configured-any-more                              |
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from router.notifications.record import Position
from router.rules.dead_letters import missing_object
from router.rules.identity import Identity
from router.rules.outgoing import OutgoingEvent
from router.rules.sizing import Place

# One "not there" may be a replica that lags, a share that is not mounted, or an event that was faster than its file.
PAUSES = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=10))
SECOND_LOOK = timedelta(seconds=5)  # for what a person asked for, who waits
LONGEST_PAUSE = timedelta(minutes=10)
TWICE = f"it is not there: looked for twice, {SECOND_LOOK.seconds} s apart"
NOT_LOADED = ("missing", "removed", "superseded")  # how a file ends that may lie there again


@dataclass(frozen=True, slots=True)
class Look:
    """An object to be looked at, for one source.

    `identity.version` is what its event told, else ''. `serial` tells this look from later ones. `misses`: how often it
    was not there. `removed`: a removal was told. `quiet`: all that is known of it is in `file`, no outcome is owed.
    """

    identity: Identity
    uri: str
    landed: datetime
    position: Position | None
    serial: int = 0
    misses: int = 0
    removed: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class There:
    """It is there: the version and size the storage tells, and where that waits."""

    version: str
    size: int
    place: Place


@dataclass(frozen=True, slots=True)
class NotThere:
    """It is not there: how it ends, a removed one with all that waits of its object, and when to look again."""

    again: timedelta | None
    outcome: Literal["removed", "missing"] | None = None
    reason: str | None = None
    letter: OutgoingEvent | None = None


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The storage did not answer; it is asked again later."""

    trouble: str


@dataclass(frozen=True, slots=True)
class NotAsked:
    """Its source does not take it any more, for this reason."""

    reason: str


StorageAnswer = There | NotThere | NoAnswer | NotAsked


def not_there(look: Look) -> NotThere:
    """What follows when the storage says that the object is not there."""
    again = PAUSES[look.misses] if look.misses < len(PAUSES) else None
    if look.removed:
        return NotThere(again, "removed", "its removal was told before its load began, and it is not there")
    if again is not None or look.quiet:
        return NotThere(again)
    reason = f"it was announced, but was not there when it was looked for, {look.misses + 1} times in 11 minutes"
    letter = None
    if look.position is not None:
        letter = missing_object(look.position, look.identity.source_id, look.uri, look.landed)
    return NotThere(None, "missing", reason, letter)


def another_version(told: str, found: str) -> str:
    """The reason told with a file that is superseded: what is there now is another version than the announced one."""
    return f"its event told the version {told}, the storage has {found}: that one is loaded instead"


def circle(times: int) -> timedelta:
    """The pause until an object is looked at again whose load found another version, `times` times in a day.

    Nothing the first time; longer each time, so that an object that never stands still does not keep its table busy.
    """
    return min(timedelta(seconds=2 ** min(times - 1, 16) - 1), LONGEST_PAUSE)
