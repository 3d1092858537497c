"""What the gateway measures, for Prometheus: seconds, bytes and counts."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

_LATENCY_S = (0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_BYTES = tuple(4.0**exponent for exponent in range(3, 11))


class Metrics:
    """All metrics of one app, in a registry of its own, so that two apps may live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        labels = ("route", "method", "status")
        self.requests = Counter("api_requests_total", "HTTP requests answered.", labels, registry=self.registry)
        self.latency = Histogram(
            "api_request_latency_seconds",
            "From the request's first byte to the answer's last.",
            labels,
            buckets=_LATENCY_S,
            registry=self.registry,
        )
        self.request_bytes = Histogram(
            "nlp_gateway_request_bytes",
            "Size of the accepted bodies.",
            ("task",),
            buckets=_BYTES,
            registry=self.registry,
        )
        self.reply_wait = Histogram(
            "nlp_gateway_reply_wait_seconds",
            "From sending a request to its reply; requests without a reply are not in it.",
            ("task",),
            buckets=_LATENCY_S,
            registry=self.registry,
        )
        self.replies = Counter(
            "nlp_gateway_replies_total",
            "Reply records read, by outcome: delivered, late (its caller no longer waits), foreign (another "
            "replica's).",
            ("outcome",),
            registry=self.registry,
        )
        self.key_uses = Counter(
            "nlp_gateway_key_uses_total",
            "Requests let in, by the name of the API key that was shown: one that stands still may be taken out.",
            ("key",),
            registry=self.registry,
        )
        self.pending = Gauge(
            "nlp_gateway_pending_replies", "Requests that wait for their reply.", registry=self.registry
        )
        self.send_failures = Counter(
            "nlp_gateway_send_failures_total", "Requests that the broker did not take.", registry=self.registry
        )
        self.connected = Gauge(
            "nlp_gateway_broker_connected", "1 while requests can be sent and replies read.", registry=self.registry
        )
        self.connection_losses = Counter(
            "nlp_gateway_broker_connection_losses_total",
            "Times that the connection to the brokers was lost after it had been made.",
            registry=self.registry,
        )
