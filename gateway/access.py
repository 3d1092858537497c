"""Who may ask: the key of a caller, checked before anything of the request's body is read."""

from typing import Annotated, Any, NamedTuple

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from gateway.errors import Unauthorized
from gateway.keys import ApiKeys
from gateway.metrics import Metrics
from gateway.openapi import problem_answer
from gateway.settings import Settings

_BEARER = HTTPBearer(
    scheme_name="ApiKey",
    description="The key that the operator gave you, as `Authorization: Bearer <key>`.",
    # Ours: the framework's own answer is no problem of RFC 9457.
    auto_error=False,
)
_REFUSED = "No key, or one that is not known"
_NO_KEY = "show your key in the header Authorization, as Bearer <key>"


class Guard(NamedTuple):
    """What keeps a route, as FastAPI's routes take it."""

    dependencies: list[Any]
    responses: dict[int | str, dict[str, Any]]


class Access:
    """Lets callers in that show a known key; anybody where no keys are set."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        """Raise `KeysError` when the keys cannot be read."""
        asks = bool(settings.api_keys) or settings.api_keys_file is not None
        self._keys = ApiKeys(settings.api_keys, settings.api_keys_file) if asks else None
        self._metrics = metrics

    def guard(self, is_guarded: bool = True) -> Guard:
        """Return what a route takes to ask for a key, and to say so in its documentation."""
        if self._keys is None or not is_guarded:
            return Guard([], {})
        status, answer = problem_answer(_REFUSED, Unauthorized(_NO_KEY))
        challenge = {"description": "How to show a key.", "schema": {"type": "string"}}
        answer["headers"] = {"WWW-Authenticate": challenge}
        return Guard([Security(self._check)], {status: answer})

    async def _check(
        self, request: Request, shown: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]
    ) -> None:
        assert self._keys is not None
        owner = None if shown is None else self._keys.owner_of(shown.credentials)
        if owner is None:
            raise Unauthorized(_NO_KEY if shown is None else "the key is not known")
        request.state.caller = owner
        self._metrics.key_uses.labels(owner).inc()
