"""Prometheus metrics of the worker, in seconds, records and tokens."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

from schemas import CONTRACTS
from schemas.errors import RECORD_ERRORS_BY_CODE

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_STAGE_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_AGE_BUCKETS = (*LATENCY_BUCKETS, 300, 1_800, 7_200, 86_400)


class Metrics:
    """Every metric of one worker, in a registry of its own so that tests may have several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._counters()
        self._histograms()
        self._batch_histograms()
        self._gauges()

    def _counters(self) -> None:
        registry = self.registry
        self.consumed = Counter("nlp_records_consumed", "Records taken from a topic", ["task"], registry=registry)
        self.produced = Counter(
            "nlp_records_produced",
            "Records whose arrival the broker confirmed, by what they are: result, reply, error_reply, dead_letter",
            ["task", "kind"],
            registry=registry,
        )
        self.dead_letters = Counter(
            "nlp_dead_letters", "Records that could not be answered", ["task", "code"], registry=registry
        )
        # From 0, or the first of a kind would be no increase and wake nobody.
        for contract in CONTRACTS:
            for code in RECORD_ERRORS_BY_CODE:
                self.dead_letters.labels(contract.name, code)
        self.windows = Counter("nlp_windows", "Windows that passages were cut into", registry=registry)
        self.encoder_rows = Counter(
            "nlp_encoder_rows", "Windows that went through the encoder, once for all heads", registry=registry
        )
        self.encoder_failures = Counter(
            "nlp_encoder_failures", "Encoder runs that failed, and were bisected", registry=registry
        )
        self.shared_passages = Counter(
            "nlp_shared_passages", "Passages answered by an equal one already in flight", registry=registry
        )
        self.abandoned = Counter(
            "nlp_records_abandoned", "Records given up because their partition moved", registry=registry
        )
        self.rebalances = Counter(
            "nlp_rebalances", "Times that this worker gave its partitions up, first and last one too", registry=registry
        )

    def _histograms(self) -> None:
        registry = self.registry
        self.queue_wait = Histogram(
            "nlp_queue_wait_seconds", "From tokenised to dispatched", buckets=_STAGE_BUCKETS, registry=registry
        )
        self.tokenise = Histogram(
            "nlp_tokenise_seconds", "Decoding and tokenising one group of records", buckets=_STAGE_BUCKETS,
            registry=registry,
        )  # fmt: skip
        self.inference = Histogram(
            "nlp_inference_seconds", "One encoder run", buckets=_STAGE_BUCKETS, registry=registry
        )
        self.decode = Histogram(
            "nlp_decode_seconds", "Decoding the answers of one group of passages", buckets=_STAGE_BUCKETS,
            registry=registry,
        )  # fmt: skip
        self.delivery = Histogram(
            "nlp_delivery_seconds", "From sent to confirmed by the broker", buckets=LATENCY_BUCKETS, registry=registry
        )
        self.end_to_end = Histogram(
            "nlp_end_to_end_seconds",
            "From the record's timestamp to the confirmed outcome",
            ["task"],
            buckets=_AGE_BUCKETS,
            registry=registry,
        )
        self.loop_lag = Histogram(
            "nlp_event_loop_lag_seconds", "How late the event loop wakes", buckets=_STAGE_BUCKETS, registry=registry
        )

    def _batch_histograms(self) -> None:
        registry = self.registry
        self.batch_records = Histogram(
            "nlp_batch_records", "Windows in one encoder run", buckets=(1, 2, 4, 8, 16, 32, 64), registry=registry
        )
        self.batch_tokens = Histogram(
            "nlp_batch_tokens",
            "Tokens in one encoder run, padding not counted",
            buckets=(16, 32, 64, 128, 256, 384, 512, 1024),
            registry=registry,
        )
        self.padding_ratio = Histogram(
            "nlp_batch_padding_ratio",
            "Share of an encoder run that is padding",
            buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8),
            registry=registry,
        )

    def _gauges(self) -> None:
        registry = self.registry
        self.in_flight = Gauge("nlp_records_in_flight", "Records taken and not yet delivered", registry=registry)
        self.in_flight_limit = Gauge(
            "nlp_records_in_flight_limit", "Records in flight at which nothing more is taken", registry=registry
        )
        self.in_flight_bytes = Gauge(
            "nlp_in_flight_bytes", "Bytes of the records taken and not yet delivered", registry=registry
        )
        self.records_waiting = Gauge(
            "nlp_records_waiting", "Records taken that nobody has decoded and tokenised yet", registry=registry
        )
        self.windows_waiting = Gauge("nlp_windows_waiting", "Windows that wait for an encoder run", registry=registry)
        self.engine_threads = Gauge("nlp_engine_threads", "Encoder runs possible at the same time", registry=registry)
        self.oldest_age = Gauge(
            "nlp_oldest_record_age_seconds",
            "Since the oldest record that is not delivered was taken, 0 without one",
            registry=registry,
        )
        self.consumer_lag = Gauge(
            "nlp_consumer_lag_records",
            "Records in a partition behind the committed offset",
            ["topic", "partition"],
            registry=registry,
        )
        self.committed_offset = Gauge(
            "nlp_committed_offset",
            "First offset of a partition that a restart would read again, 0 before the first commit",
            ["topic", "partition"],
            registry=registry,
        )
        self.assigned = Gauge("nlp_partitions_assigned", "Partitions this worker reads", registry=registry)
        self.ready = Gauge("nlp_ready", "1 when the worker is ready", registry=registry)
        self.model = Gauge("nlp_model_info", "The bundle in use", ["model"], registry=registry)
