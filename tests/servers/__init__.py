"""Servers and programs of others that tests start beside the local stack."""
