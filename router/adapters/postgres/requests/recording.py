"""How a request is recorded: once by its id; asked again, it is answered again."""

from router.adapters.postgres.database import Connection
from router.adapters.postgres.fragments import Statement
from router.adapters.postgres.publication import put
from router.adapters.postgres.requests.ending import end_request
from router.ports.requests import AskedRequest
from router.rules.identity import object_key
from router.rules.outgoing import OutgoingEvent
from schemas.config.topics import COMPLETIONS_TOPIC
from schemas.events.requests import LoadAsked, PreviewAsked


async def record(connection: Connection, asked: AskedRequest) -> int:
    request, data = asked.request, asked.request.asked
    new = await connection.fetchval(
        _RECORD,
        request.id,
        request.kind,
        request.producer,
        asked.source_id,
        "{}" if data is None else data.model_dump_json(),
        data.deadline if isinstance(data, LoadAsked) else None,
        *request.position,
    )
    if not new:
        await _answer_again(connection, asked)
    elif asked.refusal is not None:
        await end_request(connection, asked.refusal)
    elif uris := _named(data):
        await connection.execute(_NAME_FILES, request.id, asked.source_id, [object_key(uri) for uri in uris], uris)
    return int(bool(new))


async def _answer_again(connection: Connection, asked: AskedRequest) -> None:
    row = await connection.fetchrow(_ANSWER, asked.request.id)
    if row is None or row["producer"] != asked.request.producer:
        await put(connection, [asked.taken])
    elif row["event"] is not None:
        await put(connection, [OutgoingEvent(COMPLETIONS_TOPIC, asked.request.id, row["event"])])


def _named(data: object) -> list[str]:
    match data:
        case LoadAsked():
            return list(data.files)
        case PreviewAsked():
            return [data.file]
        case _:
            return []


# A request, once by its id.
_RECORD = Statement("""
    INSERT INTO request (id, kind, producer, source_id, asked, deadline, topic, "partition", "offset")
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING true
""")

# The files it names.
_NAME_FILES = Statement("""
    INSERT INTO request_file (request_id, source_id, object, uri)
    SELECT $1, $2, * FROM unnest($3::bytea[], $4::text[]) ON CONFLICT DO NOTHING
""")

# What was answered, and to whom.
_ANSWER = Statement("SELECT producer, event FROM request WHERE id = $1")
