"""HTTP by request and reply over the same Kafka topics and workers; holds no model."""
