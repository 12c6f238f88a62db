"""The seven stages of the router: intake and requests, discovery and resolution, scheduling; settlement, publication.

The flow runs between scheduling and settlement.

A stage reads the ledger, asks a rule, writes the ledger and acts outside, in that order. `step(now)` is one bounded
piece of that; it can be killed at any instruction and done again.
"""
