"""The ledger's tables (PostgreSQL): their migrations are their definition, `migrate` brings a database up to them."""
