"""HTTP: Prefect's webhook comes in, health and metrics go out."""
