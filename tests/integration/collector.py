"""A collector of traces: takes OTLP over HTTP, as the OpenTelemetry Collector and Jaeger do, and keeps the spans."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """The spans that came, with the name of the service that sent them."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.received: list[tuple[str, Span]] = []

    def take(self, path: str, body: bytes) -> None:
        """Keep the spans of one request."""
        assert path == "/v1/traces", path
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = next(each.value.string_value for each in resource.resource.attributes if each.key == SERVICE)
            self.received += [(service, span) for scope in resource.scope_spans for span in scope.spans]

    def named(self, service: str, name: str) -> Span:
        """Return the one span of that name."""
        found = [span for sender, span in self.received if (sender, span.name) == (service, name)]
        assert len(found) == 1, f"{len(found)} of {name}: {[(sender, span.name) for sender, span in self.received]}"
        return found[0]


SERVICE = "service.name"


@contextmanager
def collecting() -> Iterator[Collector]:
    """Collect while the block runs."""

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    collector = Collector(f"http://127.0.0.1:{server.server_port}")
    serving = Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield collector
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
