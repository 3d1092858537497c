"""A whole system on one machine: broker, topics, workers and gateway under one supervisor."""
