"""What a record costs, end to end through Kafka and beside plain loops over the same texts: `python -m benchmarks`."""
