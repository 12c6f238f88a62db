"""From Kafka's events to Prefect's runs and back: see ARCHITECTURE.md for the path of one file."""
