"""A run as a span, and each of its files as a span of the trace to which the file belongs.

A batch has many files and each its own trace, so a run is in none of them: it begins a trace, and its span links to
theirs, as theirs do to it. All are sent at once when the run is over. Settings are OpenTelemetry's own: `OTEL_…`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from schemas.traces import parsed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from opentelemetry.trace import Tracer

    from flows.loading.ledger import Claimed, Traced

SENDING_SECONDS = 3  # a collector that is away keeps a worker's slot no longer


def send(
    claimed: Claimed,
    files: Sequence[Traced],
    *,
    began: int,
    ended: int,
    error: BaseException | None,
) -> None:
    """Send the spans of a run that is over: `began` and `ended` in nanoseconds since 1970, `error` when it failed."""
    provider = TracerProvider(
        resource=Resource.create({"service.name": "autoloader"}), span_limits=SpanLimits(max_links=len(files))
    )
    exporter, all_at_once = OTLPSpanExporter(timeout=SENDING_SECONDS), len(files) + 1
    provider.add_span_processor(
        BatchSpanProcessor(exporter, max_queue_size=all_at_once, max_export_batch_size=all_at_once)
    )
    tracer = provider.get_tracer("autoloader")
    parents = [(file, context) for file in files if (context := _context(file.traceparent)) is not None]
    run = tracer.start_span(
        "load",
        Context(),
        SpanKind.CONSUMER,
        {
            "autoloader.batch": claimed.batch,
            "autoloader.attempt": claimed.attempt,
            "autoloader.lane": claimed.lane,
            "autoloader.source": claimed.manifest.source_id,
            "autoloader.table": claimed.manifest.table,
            "prefect.flow_run": claimed.run_id,
        },
        [Link(context) for _, context in parents],
        start_time=began,
    )
    if error is not None:
        run.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
    for file, parent in parents:
        _tell(tracer, file, parent, run.get_span_context(), ended)
    run.end(ended)
    provider.shutdown()


def _tell(tracer: Tracer, file: Traced, parent: SpanContext, run: SpanContext, ended: int) -> None:
    """From its landing to the end of the run, with the moments of its way."""
    span = tracer.start_span(
        "load file",
        set_span_in_context(NonRecordingSpan(parent), Context()),
        SpanKind.CONSUMER,
        {"autoloader.uri": file.uri},
        [Link(run)],
        start_time=_nanoseconds(file.landed),
    )
    for name, at in (("cut", file.cut), ("submitted", file.submitted), ("claimed", file.claimed)):
        if at is not None:
            span.add_event(name, timestamp=_nanoseconds(at))
    span.end(ended)


def _context(traceparent: str) -> SpanContext | None:
    trace = parsed(traceparent)
    if trace is None:
        return None
    trace_id, span_id = int(trace.trace_id, 16), int(trace.span_id, 16)
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(trace.flags))


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000
