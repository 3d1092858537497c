"""`python -m benchmarks`: measure, print, and keep the figures; `--quick` keeps nothing."""

import argparse
import sys
import time
from pathlib import Path

from benchmarks.processes import NotReady
from benchmarks.report import keep, read_previous, render
from benchmarks.run import Options, run
from benchmarks.stream import Unanswered
from benchmarks.web import RefusedRequest
from local.errors import LocalError
from schemas import ServiceError


def main() -> int:
    """Return the exit status: 0 when everything was measured, whatever the figures are."""
    options, is_quick = _parse()
    begun = time.monotonic()
    try:
        results = run(options, lambda text: print(f"{time.monotonic() - begun:6.1f} s  {text}", flush=True))
    except (LocalError, NotReady, RefusedRequest, ServiceError, Unanswered) as failed:
        print(f"benchmark: {failed}", file=sys.stderr)
        return 1
    previous = read_previous()
    print(f"\n{render(results, previous)}\n\n{time.monotonic() - begun:.0f} s in all")
    if not is_quick:
        keep(results, previous)
    return 0


def _parse() -> tuple[Options, bool]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a look of half a minute; its figures are not kept")
    parser.add_argument("--bundle", type=Path, default=Path("models/minilm"), help="directory of the model bundle")
    parser.add_argument("--threads", type=int, default=1, help="engine threads of all that is measured")
    parser.add_argument("--documents", type=int, help="texts in a round")
    parser.add_argument("--rounds", type=int, help="times that everything is measured")
    given = parser.parse_args()
    documents, rounds, requests, starts = (150, 1, 60, 1) if given.quick else (700, 5, 300, 3)
    options = Options(
        bundle=given.bundle,
        documents=given.documents or documents,
        rounds=given.rounds or rounds,
        requests=requests,
        threads=given.threads,
        starts=starts,
    )
    return options, given.quick


if __name__ == "__main__":
    sys.exit(main())
