"""Our own faults: answered with a problem that tells nothing, and logged by type and place."""

import asyncio
import logging
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import Problem, bug_problem, problem_response, status_problem

_log = logging.getLogger(__name__)


class FaultMiddleware:
    """Lets no exception through to the server, which would write it out with all that it quotes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and answer for what fails."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def send_and_note(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        async def answer(problem: Problem) -> None:
            # Of an answer that has begun nothing can be taken back: the server then cuts the connection.
            if not has_started:
                await problem_response(problem)(scope, receive, send)

        try:
            await self._app(scope, receive, send_and_note)
        except asyncio.CancelledError:
            await answer(status_problem(HTTPStatus.SERVICE_UNAVAILABLE, "the gateway is stopping"))
            raise
        # Whatever it is: it is a bug of ours, and the caller must not wait for an answer that never comes.
        except Exception as bug:
            _log.error("This is a bug: a request failed", exc_info=bug)
            await answer(bug_problem())
