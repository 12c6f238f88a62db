"""The traces of a run's files: in its log, and as spans at whoever takes them."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import UUID

import pytest

from flows.loading.errors import Infrastructure
from flows.loading.ledger import Claimed, Ledger, Traced
from flows.loading.traces import told
from tests.builders import A_CSV, manifest

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
B_CSV = "s3://landing/orders/b.csv"
CLAIMED = Claimed(
    batch="b-1",
    attempt=2,
    run_id="run-1",
    session_id=UUID(int=1),
    kind="load",
    lane="default",
    manifest=manifest().model_copy(update={"traces": True}),
    files=(),
)
OFF = replace(CLAIMED, manifest=manifest())
SOMEWHERE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


def traced(uri: str = A_CSV, trace_id: str = ID, flags: str = "01") -> Traced:
    moments = [NOON + timedelta(seconds=n) for n in range(4)]
    return Traced(uri, f"00-{trace_id}-{SPAN}-{flags}", *moments)


@dataclass(frozen=True)
class TellingLedger(Ledger):
    """One that is asked for traces alone."""

    url: str = ""
    files: tuple[Traced, ...] = ()
    away: bool = False
    asked: list[str] = field(default_factory=list)

    def traced(self, claimed: Claimed) -> tuple[Traced, ...]:
        self.asked.append(claimed.batch)
        if self.away:
            raise Infrastructure("the ledger does not answer", target="ledger")
        return self.files


def noted(ledger: TellingLedger, claimed: Claimed = CLAIMED, environ: Mapping[str, str] | None = None) -> list[str]:
    """What stands in the log of a run."""
    lines: list[str] = []
    with told(ledger, claimed, environ or {}, lines.append):
        lines.append("loaded")
    return lines


def test_without_traces_nothing_is_asked_told_or_sent() -> None:
    ledger = TellingLedger(files=(traced(),))

    assert noted(ledger, OFF, SOMEWHERE) == ["loaded"]
    assert ledger.asked == []


def test_the_log_names_the_traces_before_the_load() -> None:
    assert noted(TellingLedger(files=(traced(), traced(B_CSV)))) == [
        f"traces batch=b-1 attempt=2 of 2 files: {ID}",
        "loaded",
    ]


def test_a_ledger_that_does_not_tell_them_stops_no_load() -> None:
    assert noted(TellingLedger(away=True)) == ["traces are not told: the ledger does not answer", "loaded"]


def test_an_error_of_the_load_goes_on() -> None:
    with pytest.raises(ValueError, match="full"), told(TellingLedger(files=(traced(),)), CLAIMED, {}, print):
        raise ValueError("full")


def test_a_load_without_traces_imports_no_opentelemetry() -> None:
    program = "import sys, flows.loading.attempt, flows.loading.traces; sys.exit('opentelemetry' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """One that takes what it is sent."""
    taken: list[bytes] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", taken
        server.shutdown()


def sent(monkeypatch: pytest.MonkeyPatch, *files: Traced, error: Exception | None = None) -> list[Any]:
    """The spans that a collector takes of a run with these files."""
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2  # noqa: PLC0415 - an optional package

    with collector() as (url, taken):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": url}
        try:
            with told(TellingLedger(files=files), CLAIMED, environ, print):
                if error is not None:
                    raise error
        except ValueError:
            pass
    spans: list[Any] = []
    for body in taken:
        message = trace_service_pb2.ExportTraceServiceRequest.FromString(body)
        spans += [span for one in message.resource_spans for scope in one.scope_spans for span in scope.spans]
    return spans


def named(spans: list[Any], name: str) -> list[Any]:
    return [span for span in spans if span.name == name]


def test_a_run_is_a_span_of_its_own_trace_that_links_to_those_of_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    other = ID[::-1]

    spans = sent(monkeypatch, traced(), traced(B_CSV, other))

    [run] = named(spans, "load")
    assert {link.trace_id.hex() for link in run.links} == {ID, other}
    assert {link.span_id.hex() for link in run.links} == {SPAN}
    assert run.trace_id.hex() not in {ID, other}
    assert run.parent_span_id == b""
    assert {one.key for one in run.attributes} >= {"autoloader.batch", "autoloader.table", "prefect.flow_run"}


def test_a_file_is_a_span_of_its_own_trace_from_its_landing_on(monkeypatch: pytest.MonkeyPatch) -> None:
    spans = sent(monkeypatch, traced())

    [run], [file] = named(spans, "load"), named(spans, "load file")
    assert (file.trace_id.hex(), file.parent_span_id.hex()) == (ID, SPAN)
    assert file.start_time_unix_nano == int(NOON.timestamp()) * 10**9
    assert file.end_time_unix_nano == run.end_time_unix_nano
    assert [event.name for event in file.events] == ["cut", "submitted", "claimed"]
    assert [link.span_id for link in file.links] == [run.span_id]


def test_more_files_than_a_span_usually_has_links_are_all_linked(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [traced(f"s3://landing/orders/{n}.csv", f"{n:032x}") for n in range(1, 3001)]

    spans = sent(monkeypatch, *files)

    [run] = named(spans, "load")
    assert (len(run.links), len(named(spans, "load file"))) == (3000, 3000)


def test_a_trace_that_is_not_sampled_gets_no_span(monkeypatch: pytest.MonkeyPatch) -> None:
    assert named(sent(monkeypatch, traced(flags="00")), "load file") == []


def test_a_run_that_failed_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    [run] = named(sent(monkeypatch, traced(), error=ValueError("full")), "load")

    assert run.status.message == "ValueError: full"


def test_a_collector_that_is_away_harms_no_load(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    monkeypatch.setenv(*next(iter(SOMEWHERE.items())))

    assert "loaded" in noted(TellingLedger(files=(traced(),)), CLAIMED, SOMEWHERE)


def test_settings_that_nobody_understands_harm_no_load(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many")

    *_, loaded, trouble = noted(TellingLedger(files=(traced(),)), CLAIMED, SOMEWHERE)

    assert loaded == "loaded"
    assert trouble.startswith("spans are not sent: ValueError")


def test_spans_go_to_another_machine_in_plain_text_only_where_that_is_allowed() -> None:
    elsewhere = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example:4318"}

    lines = noted(TellingLedger(files=(traced(),)), CLAIMED, elsewhere)

    assert "otlp at collector.example would be talked to in plain text" in lines[1]
    assert lines[2] == "loaded"


def test_without_its_package_the_log_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.delitem(sys.modules, "flows.loading.spans", raising=False)

    lines = noted(TellingLedger(files=(traced(),)), CLAIMED, SOMEWHERE)

    assert "install autoloader[otel]" in lines[1]
    assert lines[2] == "loaded"
