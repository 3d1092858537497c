"""What the dashboard shows: a row for each stage of a record's way, then the gateway, Kafka and the processes."""

from dataclasses import dataclass

WORKER = 'instance=~"$worker"'
RATE = "[$__rate_interval]"
REFUSED = "malformed_record|invalid_field|invalid_header|empty_text|text_too_long|record_too_large|too_many_questions"
"""Codes of what is wrong with a record before anything is computed for it."""


@dataclass(frozen=True, slots=True)
class Query:
    """A line of a panel, or several: one for each combination of labels that `legend` names."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A graph, or a single number where `is_number`; `unit` is Grafana's name of it, `limit` is drawn red."""

    title: str
    unit: str
    description: str
    queries: tuple[Query, ...]
    limit: float | None = None
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Panels side by side."""

    title: str
    panels: tuple[Panel, ...]


def _rate(metric: str, *by: str, where: str = WORKER) -> str:
    return f"sum by ({', '.join(by)}) (rate({metric}{{{where}}}{RATE}))"


def _quantiles(histogram: str, *by: str, where: str = WORKER) -> tuple[Query, Query]:
    rate = _rate(f"{histogram}_bucket", "le", *by, where=where)
    label = "".join(f" {{{{{name}}}}}" for name in by)
    return (
        Query(f"histogram_quantile(0.5, {rate})", f"p50{label}"),
        Query(f"histogram_quantile(0.99, {rate})", f"p99{label}"),
    )


def _mean(histogram: str) -> Query:
    mean = f"{_rate(f'{histogram}_sum', 'instance')} / {_rate(f'{histogram}_count', 'instance')}"
    return Query(mean, "{{instance}}")


def _each_worker(expr: str) -> tuple[Query]:
    return (Query(expr, "{{instance}}"),)


GLANCE = Row(
    "At a glance",
    (
        Panel("Workers ready", "none", "Of all that are scraped.", (Query("sum(nlp_ready)", "ready"),), is_number=True),
        Panel(
            "Gateways connected", "none", "Those that can ask the workers.",
            (Query("sum(nlp_gateway_broker_connected)", "connected"),), is_number=True,
        ),
        Panel(
            "Answers", "reqps", "Results and replies that the broker confirmed.",
            (Query(f'sum(rate(nlp_records_produced_total{{kind=~"result|reply"}}{RATE}))', "answers"),), is_number=True,
        ),
        Panel(
            "Lag", "short", "Records on all topics that are not committed.",
            (Query("sum(topic_partition:nlp_consumer_lag_records:max)", "lag"),), is_number=True,
        ),
        Panel(
            "Dead letters", "short", "In the time shown.",
            (Query("sum(increase(nlp_dead_letters_total[$__range]))", "dead letters"),), limit=1, is_number=True,
        ),
        Panel(
            "HTTP p99", "s", "The slowest route's; 50 ms are promised.",
            (Query("max(route:api_request_latency_seconds:p99_5m)", "p99"),), limit=0.05, is_number=True,
        ),
    ),
)  # fmt: skip

STAGES = (
    Row(
        "1 · Consume and decode",
        (
            Panel(
                "Records taken", "reqps", "From the topics, by task.",
                (Query(_rate("nlp_records_consumed_total", "task"), "{{task}}"),),
            ),
            Panel(
                "In flight, of what is allowed", "percentunit",
                "At 100 % a worker takes nothing more until something is delivered: it is as busy as it can be.",
                _each_worker(f"nlp_records_in_flight{{{WORKER}}} / nlp_records_in_flight_limit{{{WORKER}}}"), limit=1,
            ),
            Panel(
                "Bytes in flight", "bytes", "Values of the records taken and not yet delivered.",
                _each_worker(f"nlp_in_flight_bytes{{{WORKER}}}"),
            ),
            Panel(
                "Refused", "reqps", "Records that were wrong before anything was computed, by code.",
                (Query(_rate("nlp_dead_letters_total", "code", where=f'{WORKER}, code=~"{REFUSED}"'), "{{code}}"),),
            ),
        ),
    ),
    Row(
        "2 · Tokenise and cut into windows",
        (
            Panel(
                "Time of a group", "s", "Decoding and tokenising up to 64 records at once.",
                _quantiles("nlp_tokenise_seconds"),
            ),
            Panel(
                "Busy share of the thread", "percentunit", "One thread tokenises; near 100 % it holds up the encoder.",
                _each_worker(_rate("nlp_tokenise_seconds_sum", "instance")), limit=0.9,
            ),
            Panel(
                "Records waiting", "short", "Taken and not yet tokenised.",
                _each_worker(f"nlp_records_waiting{{{WORKER}}}"),
            ),
            Panel(
                "Windows", "ops", "Cut from passages, and passages that an equal one in flight answers as well.",
                (
                    Query(f"sum(rate(nlp_windows_total{{{WORKER}}}{RATE}))", "windows"),
                    Query(f"sum(rate(nlp_shared_passages_total{{{WORKER}}}{RATE}))", "shared passages"),
                ),
            ),
        ),
    ),
    Row(
        "3 · Wait and batch",
        (
            Panel("Waiting time", "s", "From tokenised to dispatched.", _quantiles("nlp_queue_wait_seconds")),
            Panel("Windows waiting", "short", "For a run.", _each_worker(f"nlp_windows_waiting{{{WORKER}}}")),
            Panel("Windows in a run", "short", "On average.", (_mean("nlp_batch_records"),)),
            Panel("Padding", "percentunit", "Share of a run that is padding, on average.",
                  (_mean("nlp_batch_padding_ratio"),)),
        ),
    ),
    Row(
        "4 · Encoder",
        (
            Panel("Time of a run", "s", "One pass for all heads of a batch.", _quantiles("nlp_inference_seconds")),
            Panel(
                "Busy share of the engine", "percentunit", "Of all threads. Long near 100 %: add workers, or cores.",
                _each_worker(f"instance:nlp_engine_busy:ratio_5m{{{WORKER}}}"), limit=0.95,
            ),
            Panel(
                "Tokens", "ops", "Through the encoder, padding not counted.",
                _each_worker(_rate("nlp_batch_tokens_sum", "instance")),
            ),
            Panel(
                "Windows, and runs that failed", "ops", "A run that fails is bisected until its cause is alone.",
                (
                    Query(f"sum(rate(nlp_encoder_rows_total{{{WORKER}}}{RATE}))", "windows"),
                    Query(f"sum(rate(nlp_encoder_failures_total{{{WORKER}}}{RATE}))", "failed runs"),
                ),
            ),
        ),
    ),
    Row(
        "5 · Decode the heads",
        (
            Panel("Time of a group", "s", "Logits to answers.", _quantiles("nlp_decode_seconds")),
            Panel(
                "Busy share of the thread", "percentunit", "One thread decodes.",
                _each_worker(_rate("nlp_decode_seconds_sum", "instance")), limit=0.9,
            ),
            Panel(
                "Not computed", "reqps", "Records on which inference or decoding failed, and those that came too late.",
                (
                    Query(
                        _rate("nlp_dead_letters_total", "code", where=f'{WORKER}, code=~"internal_error|expired"'),
                        "{{code}}",
                    ),
                ),
            ),
        ),
    ),
    Row(
        "6 · Deliver",
        (
            Panel("Time to confirm", "s", "From sent to confirmed by the broker.", _quantiles("nlp_delivery_seconds")),
            Panel(
                "Records confirmed", "reqps", "By what they are.",
                (Query(_rate("nlp_records_produced_total", "kind"), "{{kind}}"),),
            ),
            Panel(
                "Dead letters", "reqps", "By task and code.",
                (Query(_rate("nlp_dead_letters_total", "task", "code"), "{{task}} {{code}}"),),
            ),
            Panel(
                "End to end", "s", "From the record's own timestamp to its confirmed outcome: old ones count as slow.",
                _quantiles("nlp_end_to_end_seconds", "task"),
            ),
        ),
    ),
    Row(
        "7 · Commit and progress",
        (
            Panel(
                "Committed", "reqps", "Records a second, by topic.",
                (Query("topic:nlp_committed_offset:rate5m", "{{topic}}"),),
            ),
            Panel(
                "Oldest record in flight", "s", "60 s make a worker unready, 120 s end it (`NLP_WORKER_STALL_S`).",
                _each_worker(f"nlp_oldest_record_age_seconds{{{WORKER}}}"), limit=60,
            ),
            Panel("In flight", "short", "Records taken and not delivered.",
                  _each_worker(f"nlp_records_in_flight{{{WORKER}}}")),
            Panel(
                "Given up", "reqps", "Records whose partition moved before they were delivered; they are done again.",
                _each_worker(_rate("nlp_records_abandoned_total", "instance")),
            ),
        ),
    ),
)  # fmt: skip

GATEWAY = Row(
    "Gateway",
    (
        Panel(
            "Requests", "reqps", "By status, predictions only.",
            (Query(_rate("api_requests_total", "status", where='route=~"/predict/.+"'), "{{status}}"),),
        ),
        Panel(
            "Latency of answers", "s", "From a request's first byte to its answer's last.",
            _quantiles("api_request_latency_seconds", "route", where='route=~"/predict/.+", status="200"'), limit=0.05,
        ),
        Panel(
            "Wait for the reply", "s", "From sent to replied: what Kafka and the worker take.",
            _quantiles("nlp_gateway_reply_wait_seconds", "task", where='job="gateway"'),
        ),
        Panel("Callers waiting", "short", "For a reply.", (Query("nlp_gateway_pending_replies", "{{instance}}"),)),
        Panel(
            "Replies", "reqps", "Late: the caller had left. Foreign: another replica reads the same partition.",
            (Query(_rate("nlp_gateway_replies_total", "outcome", where='job="gateway"'), "{{outcome}}"),),
        ),
        Panel(
            "Broker", "short", "Connections lost and requests not taken, in five minutes.",
            (
                Query("increase(nlp_gateway_broker_connection_losses_total[5m])", "lost {{instance}}"),
                Query("increase(nlp_gateway_send_failures_total[5m])", "not taken {{instance}}"),
            ),
        ),
        Panel(
            "Keys", "reqps", "Requests let in, by the name of the API key: one that stands still may be taken out.",
            (Query(_rate("nlp_gateway_key_uses_total", "key", where='job="gateway"'), "{{key}}"),),
        ),
        Panel(
            "Bodies", "bytes", "Size of the accepted requests.",
            _quantiles("nlp_gateway_request_bytes", "task", where='job="gateway"'),
        ),
    ),
)  # fmt: skip

KAFKA = Row(
    "Kafka",
    (
        Panel(
            "Lag by topic", "short", "Records that are not committed.",
            (Query("sum by (topic) (topic_partition:nlp_consumer_lag_records:max)", "{{topic}}"),),
        ),
        Panel(
            "Lag, the ten longest partitions", "short", "One alone: a hot key, or a worker that is stuck.",
            (Query("topk(10, topic_partition:nlp_consumer_lag_records:max)", "{{topic}}[{{partition}}]"),),
        ),
        Panel(
            "Partitions assigned", "short", "A worker without any sits idle.",
            _each_worker(f"nlp_partitions_assigned{{{WORKER}}}"),
        ),
        Panel(
            "Rebalances", "short", "In five minutes. Every worker stops for each of them.",
            _each_worker(f"sum by (instance) (increase(nlp_rebalances_total{{{WORKER}}}[5m]))"),
        ),
        Panel("Ready", "none", "1 when a worker is.", _each_worker(f"nlp_ready{{{WORKER}}}")),
        Panel(
            "Models", "short", "Workers by the bundle they answer with.",
            (Query(f"count by (model) (nlp_model_info{{{WORKER}}})", "{{model}}"),),
        ),
    ),
)  # fmt: skip

PROCESSES = Row(
    "Processes",
    (
        Panel(
            "Event loop lag p99", "s", "How late a worker's loop wakes.",
            _each_worker(f"instance:nlp_event_loop_lag_seconds:p99_5m{{{WORKER}}}"), limit=0.1,
        ),
        Panel(
            "CPU", "short", "Cores in use.",
            (Query(f'rate(process_cpu_seconds_total{{job=~"worker|gateway"}}{RATE})', "{{job}} {{instance}}"),),
        ),
        Panel(
            "Memory", "bytes", "Resident.",
            (Query('process_resident_memory_bytes{job=~"worker|gateway"}', "{{job}} {{instance}}"),),
        ),
        Panel(
            "Open files", "short", "Of the allowed ones.",
            (
                Query(
                    'process_open_fds{job=~"worker|gateway"} / process_max_fds{job=~"worker|gateway"}',
                    "{{job}} {{instance}}",
                ),
            ),
        ),
    ),
)  # fmt: skip

ROWS = (GLANCE, *STAGES, GATEWAY, KAFKA, PROCESSES)
