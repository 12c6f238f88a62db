"""`autoloader explain`: where is my file?"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import environment
from cli.exits import Exit, ended
from cli.ledger import with_ledger
from router.adapters.kubernetes.workloads import Workloads
from router.adapters.postgres.explain import PostgresExplain
from router.adapters.prefect.runs import PrefectRuns
from router.adapters.storage import ObjectStore
from router.errors import Rejected, Transient
from router.rules.explanation.answer import Explanation, Standing
from router.rules.explanation.batch import explain_batch
from router.rules.explanation.file import explain as explained
from router.rules.explanation.file import explain_unknown
from router.rules.explanation.known import KnownFile
from router.rules.explanation.request import explain_request
from router.rules.explanation.surroundings import away, configured, newest, only_requested
from router.rules.matching import Matcher
from router.settings import prefect_settings
from router.slots import Slots
from schemas.config import Config
from schemas.config.lanes import Lane
from schemas.config.pools.kubernetes import KubernetesPool
from schemas.settings import SettingsError

EXITS: Mapping[Standing, Exit] = {"loaded": Exit.DONE, "waiting": Exit.WAITING, "needs a person": Exit.NEEDS_A_PERSON}


def explain(
    what: Annotated[str, typer.Argument(help="A file's URI, or the id of a batch or a request.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say where a file, batch or request stands, why, what happens next and what you can do.

    Exit code 0: loaded, 3: waiting, 4: needs a person.
    """
    environ = environment.environment()
    config = environment.config(environ)
    found = with_ledger(environ, lambda database: _explanations(PostgresExplain(database), what, config, environ)) or [
        _unknown(config, what)
    ]
    if as_json:
        print(json.dumps([asdict(explanation) for explanation in found], default=str))
    else:
        print("\n\n".join("\n".join(_lines(explanation)) for explanation in found))
    raise ended(max(EXITS[explanation.standing] for explanation in found))


async def _explanations(
    ledger: PostgresExplain, what: str, config: Config, environ: Mapping[str, str]
) -> list[Explanation]:
    """Explain a batch, a request, or the newest version of a file in each of its sources; none when it is unknown."""
    now = datetime.now(UTC)
    if batch := await ledger.batch(what):
        return [explain_batch(batch, now=now, away=away(await ledger.breakers(), batch.source_id, batch.lane, config))]
    if request := await ledger.request(what):
        return [explain_request(request, now=now)]
    found = []
    for file in newest(await ledger.files(what)):
        around = await ledger.around(file.source_id, file.lane)
        around = configured(around, file, config, await ledger.breakers())
        if file.waits and config.lanes.of(file.lane).follow_workers:
            around = replace(around, slots=await _slots(file.lane, config, environ))
        checked = [*await _checked(file, config, environ), *await _in_kueue(file, config, environ)]
        found.append(replace(explained(file, around, now=now), checked=checked))
    return found


async def _checked(file: KnownFile, config: Config, environ: Mapping[str, str]) -> Sequence[str]:
    """Ask storage and Prefect what they say just now of a file that is not loaded."""
    return [] if file.outcome == "loaded" else [await _in_storage(file, config), *await _in_prefect(file, environ)]


async def _in_storage(file: KnownFile, config: Config) -> str:
    try:
        found = await ObjectStore(config.allow, config.credentials).measure(file.uri)
    except Transient as trouble:
        return f"the storage does not answer: {trouble}"
    if found is None:
        return "the object is not there"
    if file.size is None or found.version == file.version:
        return f"the object is there, {found.size} bytes"
    return f"the object is there in another version: {found.version} instead of {file.version}"


async def _in_kueue(file: KnownFile, config: Config, environ: Mapping[str, str]) -> Sequence[str]:
    """Ask what the Job waits for, if it does and we may."""
    attempt = file.batch.attempts[-1] if file.batch and file.batch.attempts else None
    pool = config.lanes.of(file.batch.lane if file.batch else file.lane).pool
    workloads = Workloads.here(environ)
    if workloads is None or attempt is None or not attempt.run_id or not attempt.waits_for_quota:
        return []
    try:
        said = await workloads.said(attempt.run_id, pool.namespace) if isinstance(pool, KubernetesPool) else None
    except Transient as trouble:
        return [str(trouble)]
    return [f"Kueue says {said}"] if said else []


async def _slots(lane: Lane, config: Config, environ: Mapping[str, str]) -> int:
    """Count as the router does; without Prefect's answer, as many as are configured."""
    try:
        prefect = prefect_settings(environ)
    except SettingsError:
        return config.lanes.of(lane).slots
    runs = PrefectRuns(prefect)
    try:
        return (await Slots(config, runs).count(datetime.now(UTC)))[lane]
    finally:
        await runs.close()


async def _in_prefect(file: KnownFile, environ: Mapping[str, str]) -> Sequence[str]:
    run_id = file.batch.attempts[-1].run_id if file.batch and file.batch.attempts else None
    if run_id is None or file.outcome is not None:
        return []
    try:
        prefect = prefect_settings(environ)
    except SettingsError as missing:
        return [f"Prefect is not asked: {missing}"]
    runs = PrefectRuns(prefect)
    try:
        state = (await runs.states([run_id], [run_id]))[run_id]
    except Transient as trouble:
        return [str(trouble)]
    finally:
        await runs.close()
    said = f"Prefect says the run is {state.phase}" + (f": {state.message}" if state.message else "")
    return [said, *([state.diagnosis.words] if state.diagnosis else [])]


def _unknown(config: Config, uri: str) -> Explanation:
    """Explain what the ledger does not know. Nothing is asked of a storage that the allow-list does not name."""
    try:
        source_ids = Matcher(config).sources_of(uri)
    except Rejected as rejected:
        return explain_unknown(uri, rejected, exists=None)
    exists = asyncio.run(ObjectStore(config.allow, config.credentials).measure(uri)) is not None
    return explain_unknown(uri, None, exists, only_requested(source_ids, config))


def _lines(explanation: Explanation) -> Sequence[str]:
    return [
        explanation.what,
        f"  {explanation.state}",
        f"  why      {explanation.why}",
        f"  next     {explanation.next}",
        *(f"  you can  {command}" for command in explanation.you_can),
        *(f"  held up  {what}" for what in explanation.held_up),
        *(f"  {moment.at:%Y-%m-%d %H:%M:%S}  {moment.what}" for moment in explanation.history),
        *(f"  checked  {what}" for what in explanation.checked),
    ]
