"""Requests in the ledger."""
