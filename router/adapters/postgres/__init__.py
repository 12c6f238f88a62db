"""The ledger in PostgreSQL: one module for what each stage asks of it, over one pool of connections."""
