"""A child: parked until it gets one run, which it carries out as `python -m prefect.engine` would, and ends."""

from __future__ import annotations

import os
import select
import socket
from typing import TYPE_CHECKING, Any

from prefect._internal.control_listener import configure_from_env
from prefect.client.schemas.objects import FlowRun
from prefect.engine import _drive_run_flow_result, handle_engine_signals
from prefect.flow_engine import run_flow
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.logging.loggers import flow_run_logger, get_logger

from flows.loading.errors import Denied
from flows.loading.parked import PARKED, park, url_of
from schemas.settings import SettingsError
from worker.messages import IS_PARKED, Job

if TYPE_CHECKING:
    from schemas.config.lanes import Lane
    from worker.surroundings import Surroundings
    from worker.zygote import Cradle

RENEW_SECONDS = 240.0  # a server forgets a session after an hour that nobody asked anything in
AGAIN_SECONDS = 10.0

log = get_logger("workers.process.child")


def live(cradle: Cradle, lane: Lane) -> None:
    """Wait for a run and carry it out; return without one when the worker sends this child home, or is gone."""
    if cradle.waits:
        _wait(cradle.worker, lane)
    with cradle.worker.makefile("rb") as lines:
        line = lines.readline()
    cradle.worker.close()
    if line:
        _carry_out(Job.decoded(line), cradle.surroundings)
    elif (parked := PARKED.get()) is not None:
        parked.close()


def _wait(worker: socket.socket, lane: Lane) -> None:
    """Have a session ready until the worker says something, or nothing any more."""
    try:
        url = url_of(lane, os.environ)
    except (Denied, SettingsError):  # the run will say so
        url = None
    seconds, is_told = _have_session(url), False
    worker.sendall(IS_PARKED)
    while not is_told:
        is_told = bool(select.select([worker], [], [], seconds)[0])
        seconds = None if is_told else _have_session(url)


def _have_session(url: str | None) -> float | None:
    """Open one, or another where the server has forgotten it; after how many seconds to look again."""
    parked = PARKED.get()
    if url is None:
        return None
    if parked is not None and parked.lives():
        parked.touch()
        return RENEW_SECONDS
    try:
        PARKED.set(park(url))
    except Exception as error:  # noqa: BLE001 - the run opens its own, and says in its own words why it cannot
        log.debug("no session ahead: %s", error)
        PARKED.set(None)
        return AGAIN_SECONDS
    return RENEW_SECONDS


def _carry_out(job: Job, surroundings: Surroundings) -> None:
    surroundings.become(job.environ)
    if job.folder:
        os.chdir(job.folder)
    configure_from_env()
    flow_run = FlowRun.model_validate_json(job.flow_run)
    with handle_engine_signals(flow_run.id):
        logger: Any = flow_run_logger(flow_run)  # an adapter, which Prefect's own engine passes for a logger too
        try:
            flow: Flow[..., Any] = load_flow_from_entrypoint(job.entrypoint, use_placeholder_flow=False)
        except Exception:
            logger.exception("Unexpected exception encountered when trying to load flow")
            raise
        _drive_run_flow_result(flow, run_flow(flow, flow_run=flow_run, error_logger=logger))
