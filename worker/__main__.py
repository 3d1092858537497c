"""`python -m worker`: work until told to stop; exit status 0 after a drain, 1 when the supervisor should restart it."""

import asyncio
import logging
import os
import sys

from pydantic import ValidationError

from schemas import ServiceError
from schemas.settings import explain
from telemetry.logs import configure_logging
from worker.app import Worker
from worker.settings import Settings

log = logging.getLogger("worker")


async def _run(settings: Settings) -> None:
    await Worker(settings).run()


def main() -> int:
    """Return the exit status."""
    try:
        settings = Settings()
    except ValidationError as invalid:
        print(f"worker: {explain(invalid)}", file=sys.stderr)
        return 2
    configure_logging(settings.log_level, settings.log_format)
    # Their debug and info calls are formatted for every record and every heartbeat; Faust warns of nothing of weight.
    for chatty, level in (("aiokafka", logging.WARNING), ("faust", logging.ERROR), ("mode", logging.ERROR)):
        logging.getLogger(chatty).setLevel(level)
    # One thread tokenises while others infer; waking a pool for a few short texts costs as much as the tokens.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        asyncio.run(_run(settings))
    except ServiceError as error:
        log.error("%s: %s", error.code, error.detail)
        return 1
    except TimeoutError:
        log.error("did not stop in time")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
