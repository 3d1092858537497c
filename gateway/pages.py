"""The pages for people: a form to try the models, and the API's documentation; all of it works offline."""

from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

_OWN = Path(__file__).parent / "static"
_VENDORED = Path(str(files("fastapi_offline"))) / "static"
"""Swagger UI and Redoc as released, for FastAPI's own pages take them from a CDN and start them by inline scripts."""

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
_PAGES = {
    "/": ("index.html", {}),
    "/docs": ("docs.html", {}),
    # Redoc styles itself at run time and searches in a worker made from a blob.
    "/redoc": ("redoc.html", {"style-src": "'self' 'unsafe-inline'", "worker-src": "'self' blob:"}),
}


def add_pages(app: FastAPI) -> None:
    """Add `/`, `/docs`, `/redoc` and the files they need."""
    for path, (name, exceptions) in _PAGES.items():
        _add_page(app, path, name, {**_POLICY, **exceptions})
    app.mount("/static/vendor", StaticFiles(directory=_VENDORED), name="vendor")
    app.mount("/static", StaticFiles(directory=_OWN), name="static")


def _add_page(app: FastAPI, path: str, name: str, policy: dict[str, str]) -> None:
    headers = {"Content-Security-Policy": "; ".join(f"{directive} {sources}" for directive, sources in policy.items())}

    async def page() -> Response:
        return FileResponse(_OWN / name, headers=headers)

    app.add_api_route(path, page, include_in_schema=False)
