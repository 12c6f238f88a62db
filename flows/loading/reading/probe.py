"""Ask the storage for each file: its mark and size. Spark reads by path, the ledger knows versions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import storage
from flows.loading.errors import Denied
from flows.loading.translation import named_errors, reason_in
from storage.objects import Unsaid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from schemas.manifest import ManifestFile
    from storage.objects import Measured

CONCURRENCY = 32


def seen(
    files: Iterable[ManifestFile], allow: Sequence[str], credentials: str | None = None
) -> dict[str, Measured | None]:
    """Ask for all of them, by URI: what stands there now; None for no object, or none within the prefixes `allow`.

    Raises:
        Infrastructure: the storage does not answer, or refuses.
    """
    wanted, ask = [file.uri for file in files], partial(look_up, allow=allow, credentials=credentials)
    with named_errors(), ThreadPoolExecutor(CONCURRENCY) as pool:
        return dict(zip(wanted, pool.map(ask, wanted), strict=True))


def look_up(uri: str, allow: Sequence[str], credentials: str | None = None) -> Measured | None:
    """Ask for one object."""
    try:
        return storage.of(uri, credentials).look_up(uri, allow)
    except Unsaid as error:
        raise Denied(
            f"the storage does not say that the object is not there: {reason_in(str(error))}", target="storage"
        ) from error
