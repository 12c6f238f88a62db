"""`autoloader explain`: where is my file?"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import environment
from cli.reading import ask
from router.adapters.postgres.reading import PostgresReading
from router.adapters.storage import ObjectStore
from router.errors import Rejected
from router.rules.explanation import Explanation, KnownFile, Standing, explain_batch, explain_unknown
from router.rules.explanation import explain as explained
from router.rules.matching import Matcher

EXIT_CODES: Mapping[Standing, int] = {"loaded": 0, "waiting": 3, "needs a person": 4}


def explain(
    what: Annotated[str, typer.Argument(help="A file's URI, or a batch's id.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say where a file or batch stands, why, what happens next and what you can do.

    Exit code 0: loaded, 3: waiting, 4: needs a person.
    """
    environ = environment.environment()
    found = ask(environ, lambda ledger: _explanations(ledger, what)) or [_unknown(environ, what)]
    if as_json:
        print(json.dumps([asdict(explanation) for explanation in found], default=str))
    else:
        print("\n\n".join("\n".join(_lines(explanation)) for explanation in found))
    raise typer.Exit(max(EXIT_CODES[explanation.standing] for explanation in found))


async def _explanations(ledger: PostgresReading, what: str) -> list[Explanation]:
    """Of a batch, or of the newest version of a file in each of its sources."""
    now = datetime.now(UTC)
    if batch := await ledger.batch(what):
        return [explain_batch(batch, now=now)]
    newest: dict[str, KnownFile] = {}
    for file in await ledger.files(what):
        newest.setdefault(file.source_id, file)
    return [explained(file, await ledger.around(file.source_id), now=now) for file in newest.values()]


def _unknown(environ: Mapping[str, str], uri: str) -> Explanation:
    """Nothing is asked of a storage that the allow-list does not name."""
    try:
        Matcher(environment.config(environ)).sources_of(uri)
    except Rejected as rejected:
        return explain_unknown(uri, rejected, exists=None)
    return explain_unknown(uri, None, exists=asyncio.run(ObjectStore().measure(uri)) is not None)


def _lines(explanation: Explanation) -> Sequence[str]:
    return [
        explanation.what,
        f"  {explanation.state}",
        f"  why      {explanation.why}",
        f"  next     {explanation.next}",
        *(f"  you can  {command}" for command in explanation.you_can),
        *(f"  {moment.at:%Y-%m-%d %H:%M:%S}  {moment.what}" for moment in explanation.history),
    ]
