"""The block by which Prefect calls the router."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID


WEBHOOK = "autoloader"


async def put_webhook(url: str, secret: str) -> tuple[UUID, str]:
    from prefect.blocks.webhook import Webhook  # noqa: PLC0415 - registers with the server when it is imported
    from prefect.types import SecretDict  # noqa: PLC0415 - only beside the block above

    headers = {"X-Autoloader-Secret": secret, "Content-Type": "application/json"}
    try:
        found = await Webhook.aload(WEBHOOK)
    except ValueError:  # what Prefect raises when there is no such block
        found = None
    if found is not None and found._block_document_id is not None:
        same = found.url.get_secret_value() == url and found.headers.get_secret_value() == headers
        if same:
            return found._block_document_id, f"webhook {WEBHOOK}: unchanged"
    block = Webhook(method="POST", url=url, headers=SecretDict(headers))
    return await block.asave(WEBHOOK, overwrite=True), f"webhook {WEBHOOK}: {'changed' if found else 'created'}"
