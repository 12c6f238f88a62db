"""The five stages of the router, in the order in which a file passes them: the flow runs between the third and fourth.

A stage reads the ledger, asks a rule, writes the ledger and acts outside, in that order. `step(now)` is one bounded
piece of that; it can be killed at any instruction and done again.
"""
