"""The traces of the files that a run loads: named in its log, and where an OTLP endpoint is set, told in spans.

Nothing of it is done, or imported, for a batch without traces. What cannot be told harms no load.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flows.loading.errors import Infrastructure
from schemas.connections import otlp_endpoint
from schemas.settings import SettingsError
from schemas.traces import trace_ids

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flows.loading.ledger import Claimed, Ledger, Traced

Note = Callable[[str], None]
Send = Callable[..., None]  # as `flows.loading.spans.send`, which is not there without its package


def unnoted(_line: str) -> None:
    """Do nothing: there is no log."""


@contextmanager
def told(ledger: Ledger, claimed: Claimed, environ: Mapping[str, str], note: Note) -> Iterator[None]:
    """Note the traces of an attempt's files; when it is over, send its spans."""
    files = _files(ledger, claimed, note) if claimed.manifest.traces else ()
    send = _sender(environ, note) if files else None
    began, error = time.time_ns(), None
    try:
        yield
    except BaseException as raised:
        error = raised
        raise
    finally:
        if send is not None:
            _sent(lambda: send(claimed, files, began=began, ended=time.time_ns(), error=error), note)


def _sent(send: Callable[[], None], note: Note) -> None:
    try:
        send()
    except Exception as trouble:  # noqa: BLE001 - whatever a vendor makes of its settings, the batch is loaded
        note(f"spans are not sent: {trouble!r}")


def _files(ledger: Ledger, claimed: Claimed, note: Note) -> tuple[Traced, ...]:
    try:
        files = ledger.traced(claimed)
    except Infrastructure as away:
        note(f"traces are not told: {away}")
        return ()
    if ids := trace_ids(file.traceparent for file in files):
        note(f"traces batch={claimed.batch} attempt={claimed.attempt} of {len(files)} files: {ids}")
    return files


def _sender(environ: Mapping[str, str], note: Note) -> Send | None:
    """Who sends spans, when there is somebody to send them to."""
    try:
        if otlp_endpoint(environ) is None:
            return None
        from flows.loading.spans import send  # noqa: PLC0415 - an optional package
    except SettingsError as refused:
        note(f"spans are not sent: {refused}")
        return None
    except ModuleNotFoundError as missing:
        note(f"spans are not sent, {missing}: install autoloader[otel] where runs run")
        return None
    return send
