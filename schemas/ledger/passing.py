"""Which of PostgreSQL's errors pass by themselves: of a database that restarts, fails over or is altered under us."""

# The first two letters of an SQLSTATE are its class, which a server of any version gives as well.
_CLASSES = {
    "08",  # the connection was lost
    "25",  # the transaction cannot go on: a standby, or a primary that became one, reads only
    "28",  # the role is not let in just now: altered, or its password changed before our setting
    "3D",  # the database is not there: it is being restored
    "40",  # deadlocks and serialization
    "53",  # no connection, memory or disk is left
    "55",  # a lock was not to be had in time
    "57",  # shut down, starting up, terminated, timed out
    "58",  # the system below the server failed
    "XX",  # the server failed itself
}


def passes(sqlstate: str | None) -> bool:
    """Whether an error passes by itself: every other is a bug of ours, or wrong data."""
    return sqlstate is not None and sqlstate[:2] in _CLASSES
