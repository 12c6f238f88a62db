"""Prefect: runs are created, looked at and cancelled."""
