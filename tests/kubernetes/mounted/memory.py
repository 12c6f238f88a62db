"""More memory than a container has."""

import os

SMALL_BYTES = 1536 * 1024**2
PIECE_BYTES = 32 * 1024**2


def is_small() -> bool:
    """Whether this pod is of the first size class of the tests."""
    return int(os.environ["AUTOLOADER_MEMORY"]) < SMALL_BYTES


def take_all() -> None:
    """Never come back."""
    kept = []
    while True:
        kept.append(b"x" * PIECE_BYTES)
