"""`python -m deadletters list | show | replay`: the dead letters of the cluster that `KAFKA_*` names."""

import argparse
import asyncio
import logging
import sys

from pydantic import ValidationError

from deadletters.commands import list_letters, replay_letters, show_letter
from deadletters.selection import parse_positions
from schemas import NlpError
from schemas.errors import RECORD_ERRORS_BY_CODE
from schemas.settings import explain

_REPLAY = """
Send dead letters back to the topic they came from, with key, headers and event time as they were. Without --execute
nothing is sent: the plan is printed. The dead letters stay where they are, so the same selection replayed twice is
sent twice.
"""


def main(words: list[str] | None = None) -> int:
    """Return the exit status: 0 when done, 1 when the cluster did not let us, 2 for a wrong setting or argument."""
    arguments = _parser().parse_args(words)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    # Its own complaints about each attempt to connect would bury ours, which comes once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return int(asyncio.run(arguments.run(arguments)))
    except ValidationError as invalid:
        print(f"dead letters: {explain(invalid)}", file=sys.stderr)
        return 2
    except NlpError as failed:
        print(f"dead letters: {failed.code}: {failed.detail}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever reads us has seen enough; Python would complain once more when it closes the pipe.
        sys.stdout = None
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deadletters", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    listing = commands.add_parser("list", help="print the selected dead letters, and how many there are of each code")
    _add_selection(listing)
    listing.add_argument("--limit", type=_count, default=100, help="rows to print, all are counted (default: 100)")
    listing.set_defaults(run=list_letters)

    showing = commands.add_parser("show", help="print one dead letter with its headers and its bytes")
    showing.add_argument("position", type=_one_position, help="where it stands: partition@offset, as `list` prints it")
    form = showing.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON, bytes in base64")
    form.add_argument("--raw", action="store_true", help="write the record's bytes as they are, and nothing else")
    showing.set_defaults(run=show_letter)

    replaying = commands.add_parser("replay", help="send dead letters back where they came from", description=_REPLAY)
    _add_selection(replaying)
    replaying.add_argument("--limit", type=_count, help="replay so many at most")
    replaying.add_argument("--unattended", action="store_true", help="leave reply and deadline headers off")
    replaying.add_argument("--execute", action="store_true", help="send; without it nothing is sent")
    replaying.set_defaults(run=replay_letters)
    return parser


def _add_selection(parser: argparse.ArgumentParser) -> None:
    codes = ", ".join(RECORD_ERRORS_BY_CODE)
    parser.add_argument("--code", action="append", default=[], help=f"error code, may be repeated: {codes}")
    parser.add_argument("--source", action="append", default=[], metavar="TOPIC", help="topic they came from")
    parser.add_argument(
        "--at", action="append", default=[], type=_positions, metavar="POSITION", help="3@17, 3@17-40 or 3@17-"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")


def _positions(text: str) -> object:
    try:
        return parse_positions(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None


def _one_position(text: str) -> object:
    if "-" in text:
        raise argparse.ArgumentTypeError(f"{text}: not of the form 3@17")
    return _positions(text)


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: not a number above 0")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
