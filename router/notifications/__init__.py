"""Pure: the bytes and headers of a Kafka record -> the arrivals it announces. One module a provider."""
