"""Kafka by aiokafka: a consumer group's records, a publisher that waits for all replicas, and how a fetch is read."""
