"""What lies around every route, from the request's name on the outside to its deadline on the inside."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from gateway import predict, request_ids
from gateway.faults import FaultMiddleware
from gateway.measuring import MeasuringMiddleware
from gateway.metrics import Metrics
from gateway.receiving import DeadlineMiddleware
from gateway.request_ids import RequestIdMiddleware
from gateway.securing import SecurityHeadersMiddleware
from gateway.settings import Settings
from schemas.headers import ID, MODEL, SOURCE, TRACEPARENT, TRACESTATE

_PREFLIGHT_S = 600


def add_middleware(app: FastAPI, settings: Settings, metrics: Metrics) -> None:
    """Add it all; the last that is added is the outermost."""
    app.add_middleware(DeadlineMiddleware, receive_s=settings.receive_s)
    app.add_middleware(FaultMiddleware)
    origins = settings.allowed_origins
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", predict.TIMEOUT_HEADER, request_ids.HEADER, TRACEPARENT, TRACESTATE],
            expose_headers=[ID, MODEL, SOURCE, request_ids.HEADER, "Retry-After", "WWW-Authenticate"],
            max_age=_PREFLIGHT_S,
        )
    app.add_middleware(SecurityHeadersMiddleware, hsts_s=settings.hsts_s)
    app.add_middleware(MeasuringMiddleware, metrics=metrics, is_logging=settings.access_log)
    app.add_middleware(RequestIdMiddleware)
