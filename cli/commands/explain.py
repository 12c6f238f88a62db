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
from cli.ledger import ask
from router.adapters.postgres.reading import PostgresReading
from router.adapters.prefect.runs import PrefectRuns
from router.adapters.storage import ObjectStore
from router.errors import Rejected, Transient
from router.rules.breaker import Targets
from router.rules.explanation.answer import Explanation, Standing
from router.rules.explanation.batch import explain_batch
from router.rules.explanation.file import explain as explained
from router.rules.explanation.file import explain_unknown
from router.rules.explanation.known import KnownFile, Surroundings
from router.rules.explanation.request import explain_request
from router.rules.matching import Matcher
from router.settings import prefect_settings
from schemas.config import Config
from schemas.config.lanes import Lane
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
    found = ask(environ, lambda ledger: _explanations(ledger, what, config, environ)) or [_unknown(config, what)]
    if as_json:
        print(json.dumps([asdict(explanation) for explanation in found], default=str))
    else:
        print("\n\n".join("\n".join(_lines(explanation)) for explanation in found))
    raise ended(max(EXITS[explanation.standing] for explanation in found))


async def _explanations(
    ledger: PostgresReading, what: str, config: Config, environ: Mapping[str, str]
) -> list[Explanation]:
    """Of a batch, a request, or of the newest version of a file in each of its sources."""
    now = datetime.now(UTC)
    if batch := await ledger.batch(what):
        return [explain_batch(batch, now=now, away=await _away(ledger, batch.source_id, batch.lane, config))]
    if request := await ledger.request(what):
        return [explain_request(request, now=now)]
    newest: dict[str, KnownFile] = {}
    for file in await ledger.files(what):
        newest.setdefault(file.source_id, file)
    found = []
    for file in newest.values():
        around = configured(await ledger.around(file.source_id, file.lane), file, config)
        lane = file.lane if file.batch is None else file.batch.lane
        around = replace(around, away=await _away(ledger, file.source_id, lane, config))
        checked = await _checked(file, config, environ)
        found.append(replace(explained(file, around, now=now), checked=checked))
    return found


async def _away(ledger: PostgresReading, source_id: str, lane: Lane, config: Config) -> str | None:
    """What batches of a source in a lane need and does not answer."""
    needs = Targets(config).of(source_id, lane)
    holding = [one for one in await ledger.breakers() if one.target in needs and (one.is_open or one.is_half_open)]
    return f"{holding[0].target}: {holding[0].reason}" if holding else None


def configured(around: Surroundings, file: KnownFile, config: Config) -> Surroundings:
    """With what the configuration says of the source and its lane."""
    named = next(((name, one) for name, one in config.sources.items() if one.id == file.source_id), None)
    return replace(
        around,
        source=named[0] if named else around.source,
        slots=config.lanes.of(file.lane).slots,
        min_wait=named[1].batch.min_wait if named else around.min_wait,
        commit_interval=config.commit_interval,
    )


async def _checked(file: KnownFile, config: Config, environ: Mapping[str, str]) -> Sequence[str]:
    """What storage and Prefect say just now, of a file that is not loaded."""
    return [] if file.outcome == "loaded" else [await _in_storage(file, config), *await _in_prefect(file, environ)]


async def _in_storage(file: KnownFile, config: Config) -> str:
    try:
        found = await ObjectStore(config.allow).measure(file.uri)
    except Transient as trouble:
        return f"the storage does not answer: {trouble}"
    if found is None:
        return "the object is not there"
    if file.size is None or found.version == file.version:
        return f"the object is there, {found.size} bytes"
    return f"the object is there in another version: {found.version} instead of {file.version}"


async def _in_prefect(file: KnownFile, environ: Mapping[str, str]) -> Sequence[str]:
    run_id = file.batch.attempts[-1].run_id if file.batch and file.batch.attempts else None
    if run_id is None or file.outcome is not None:
        return []
    try:
        prefect = prefect_settings(environ)
    except SettingsError as missing:
        return [f"Prefect is not asked: {missing}"]
    runs = PrefectRuns(prefect.api_url, prefect.ui_url, prefect.headers)
    try:
        state = (await runs.states([run_id]))[run_id]
    except Transient as trouble:
        return [str(trouble)]
    finally:
        await runs.close()
    return [f"Prefect says the run is {state.phase}" + (f": {state.message}" if state.message else "")]


def _unknown(config: Config, uri: str) -> Explanation:
    """Nothing is asked of a storage that the allow-list does not name."""
    try:
        source_ids = Matcher(config).sources_of(uri)
    except Rejected as rejected:
        return explain_unknown(uri, rejected, exists=None)
    exists = asyncio.run(ObjectStore(config.allow).measure(uri)) is not None
    return explain_unknown(uri, None, exists, _only_requested(config, source_ids))


def _only_requested(config: Config, source_ids: Sequence[str]) -> str | None:
    """The first of the sources, by name, if none of them loads what lands by itself."""
    sources = {name: one.from_.trigger for name, one in config.sources.items() if one.id in source_ids}
    return None if "events" in sources.values() else next(iter(sources), None)


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
