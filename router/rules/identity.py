"""What makes two announcements the same file: the source's id, the object, the version."""

from dataclasses import dataclass
from hashlib import blake2b


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """The primary key of a file. `version` is empty while no event or measurement has told it."""

    source_id: str
    object: bytes
    version: str


def object_key(uri: str) -> bytes:
    """16 bytes for a URI: 4 of its parent prefix, then 12 of its own.

    Keys of one folder lie side by side, so dated prefixes keep inserts in one part of the index.
    """
    parent = uri.rpartition("/")[0]
    return blake2b(parent.encode(), digest_size=4).digest() + blake2b(uri.encode(), digest_size=12).digest()
