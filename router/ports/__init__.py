"""What the stages ask of the world, by stage. The adapters answer with real parts, the simulation with fakes.

Every method may raise `Transient`. Ledger methods are one transaction each.
"""
