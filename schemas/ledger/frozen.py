"""What a frozen process holds in the ledger: nothing for long, the server ends a transaction that stands still."""

LETS_GO_AFTER_SECONDS = 15.0


def lets_go() -> str:
    """The statement that begins every transaction: who is frozen in it, or whose machine is gone, keeps no lock.

    No query, after which it would be too late to choose an isolation level.
    """
    return f"SET LOCAL idle_in_transaction_session_timeout = {round(LETS_GO_AFTER_SECONDS * 1000)}"
