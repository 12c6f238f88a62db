"""What makes two announcements the same file: the source's id, the object, the version."""

from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

FOLDERS = 4096  # so many are remembered: those of one poll, and of the next


class Identity(NamedTuple):
    """The primary key of a file. `version` is empty while no event or measurement has told it."""

    source_id: str
    object: bytes
    version: str


def object_key(uri: str) -> bytes:
    """16 bytes for a URI: 4 of its parent prefix, then 12 of its own.

    Keys of one folder lie side by side, so dated prefixes keep inserts in one part of the index.
    """
    return _folder_key(uri.rpartition("/")[0]) + blake2b(uri.encode(), digest_size=12).digest()


@lru_cache(FOLDERS)
def _folder_key(folder: str) -> bytes:
    return blake2b(folder.encode(), digest_size=4).digest()
