"""What the command does: list, show, replay."""

import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from deadletters import show
from deadletters.letters import Source
from deadletters.reading import Reader, open_reader
from deadletters.replay import Replay, ReplayRules, open_producer, send_all
from deadletters.selection import Selection
from deadletters.settings import Settings
from schemas import KafkaConnection, Topics
from schemas.acls import Acl, operator_acls, reader_acls
from schemas.cluster import administer, partition_counts
from schemas.errors import BrokerUnavailable
from schemas.headers import ReplyHeaderNames
from schemas.producer import Producer


async def list_letters(arguments: Namespace) -> int:
    """Print rows up to the limit, and the number of selected letters of each code."""
    codes: Counter[str] = Counter()
    async with _opened(reader_acls(Topics())) as (reader, _):
        async for letters in reader.batches(_selection(arguments)):
            room = max(0, arguments.limit - codes.total())
            if letters[:room] and not codes and not arguments.json:
                print(show.HEADING)
            for letter in letters[:room]:
                print(show.as_json(letter) if arguments.json else show.row(letter))
            codes.update(letter.code for letter in letters)
    if not arguments.json:
        if codes.total() > arguments.limit:
            print(f"… and {codes.total() - arguments.limit} more")
        _print_counts(codes)
    return 0


async def show_letter(arguments: Namespace) -> int:
    """Print one letter; 1 when there is none."""
    async with _opened(reader_acls(Topics())) as (reader, _):
        async for letters in reader.batches(Selection(positions=[arguments.position])):
            if arguments.raw:
                sys.stdout.buffer.write(letters[0].value or b"")
            else:
                print(show.as_json(letters[0], is_whole=True) if arguments.json else show.whole(letters[0]))
            return 0
    print(f"dead letters: there is none at {arguments.position}", file=sys.stderr)
    return 1


async def replay_letters(arguments: Namespace) -> int:
    """Print what becomes of each selected letter, and send them when told to; raises `ReplayFailed`."""
    counts: Counter[str] = Counter()
    async with _opened(operator_acls(Topics())) as (reader, partitions), AsyncExitStack() as stack:
        rules = _rules(arguments, partitions)
        producer = await stack.enter_async_context(open_producer(KafkaConnection())) if arguments.execute else None
        async for letters in reader.batches(_selection(arguments)):
            plan = [rules.plan(letter, round(1_000 * time.time())) for letter in letters]
            replays = _limited(plan, arguments.limit and arguments.limit - counts["replayed"])
            await _carry_out(producer, replays, is_json=arguments.json)
            skipped = sum(bool(replay.skipped) for replay in replays)
            counts.update(replayed=len(replays) - skipped, skipped=skipped)
            if counts["replayed"] == arguments.limit:
                break
    if not arguments.json:
        did = "replayed" if arguments.execute else "to replay"
        print(f"{counts['replayed']} {did}, {counts['skipped']} skipped")
    if not arguments.execute:
        print("dry run: nothing was sent; --execute sends", file=sys.stderr)
    return 0


def _rules(arguments: Namespace, partitions: dict[str, int]) -> ReplayRules:
    inputs = {topic: partitions[topic] for topic in Topics().inputs if topic in partitions}
    return ReplayRules(inputs, Settings().max_replays, ReplyHeaderNames() if arguments.unattended else None)


async def _carry_out(producer: Producer | None, replays: list[Replay], *, is_json: bool) -> None:
    """Send, where there is a producer, and print each; what was sent before a fault is printed too."""
    stored: list[Source | None] = [None] * len(replays)
    fault = None
    if producer is not None:
        stored, fault = await send_all(producer, replays)
    for replay, where in zip(replays, stored, strict=True):
        if fault is None or where is not None:
            print(show.replay_as_json(replay, where) if is_json else show.replay_line(replay, where))
    if fault is not None:
        raise fault


@asynccontextmanager
async def _opened(acls: Sequence[Acl]) -> AsyncIterator[tuple[Reader, dict[str, int]]]:
    """Open the dead letters; yields the partition counts of all topics too."""
    settings, connection, topic = Settings(), KafkaConnection(), Topics().dead_letters
    async with administer(connection, acls, time.monotonic() + settings.quiet_s) as admin:
        partitions = await partition_counts(admin)
    if topic not in partitions:
        raise BrokerUnavailable(f"there is no topic {topic} at {connection.bootstrap_servers}")
    async with open_reader(connection, topic, partitions[topic], settings.quiet_s) as reader:
        yield reader, partitions


def _selection(arguments: Namespace) -> Selection:
    return Selection(arguments.code, arguments.source, arguments.at)


def _limited(replays: list[Replay], left: int | None) -> list[Replay]:
    """Return the first of the replays, up to the one that uses the limit up."""
    if left is None:
        return replays
    taken = []
    for replay in replays:
        taken.append(replay)
        left -= not replay.skipped
        if left == 0:
            break
    return taken


def _print_counts(codes: Counter[str]) -> None:
    for code, count in codes.most_common():
        print(f"{count:>8}  {show.escape(code)}")
    print(f"{codes.total():>8}  dead letters")
