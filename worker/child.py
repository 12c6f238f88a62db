"""A child: parked until it gets one run, which it carries out as `python -m prefect.engine` would, and ends."""

from __future__ import annotations

import os
from typing import Any

from prefect._internal.control_listener import configure_from_env
from prefect.client.schemas.objects import FlowRun
from prefect.engine import _drive_run_flow_result, handle_engine_signals
from prefect.flow_engine import run_flow
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.logging.loggers import flow_run_logger

from worker.lean import make_lean
from worker.messages import PARKED, Job
from worker.surroundings import Surroundings
from worker.zygote import Cradle


def live(cradle: Cradle) -> None:
    """Wait for a run and carry it out; return without one when the worker sends this child home, or is gone."""
    cradle.worker.sendall(PARKED)
    with cradle.worker.makefile("rb") as lines:
        line = lines.readline()
    cradle.worker.close()
    if line:
        _carry_out(Job.decoded(line), cradle.surroundings)


def _carry_out(job: Job, surroundings: Surroundings) -> None:
    surroundings.become(job.environ)
    if job.folder:
        os.chdir(job.folder)
    make_lean()
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
