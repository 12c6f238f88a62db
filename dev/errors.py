"""What can go wrong with the local stack, in words its user can act on."""


class StackError(Exception):
    """One clear line: which part, why, what to do (with the path of the log, where there is one)."""


class Cancelled(Exception):
    """The start was told to stop; nobody needs to read about it."""
