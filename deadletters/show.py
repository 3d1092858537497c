"""Dead letters as plain text, or as one JSON object a line for other programs."""

import base64
import json
from typing import Any

from deadletters.letters import Letter, Source
from deadletters.replay import Replay

_ROW = "{:<14} {:<30} {:<36} {:>7}  {:<20} {}"
HEADING = _ROW.format("DEAD LETTER", "EVENT TIME", "SOURCE", "REPLAYS", "CODE", "DETAIL")


def row(letter: Letter) -> str:
    """Return a letter as one line under `HEADING`; the text of the record stays out of it."""
    source = str(letter.source or "unknown")
    cells = (letter.position, letter.time, source, letter.replays, letter.code, letter.detail)
    return escape(_ROW.format(*cells)).rstrip()


def whole(letter: Letter) -> str:
    """Return a letter with all its headers and its value, nothing in it able to command a terminal."""
    lines = [f"dead letter  {letter.position}", f"event time   {letter.time}", f"source       {letter.source or ''}"]
    lines += [f"key          {_readable(letter.key)}", "headers"]
    lines += [f"  {name}: {_readable(value)}" for name, value in letter.headers]
    return "\n".join([*map(escape, lines), "value", _readable(letter.value)])


def replay_line(replay: Replay, stored: Source | None) -> str:
    """Return what becomes of a letter as one line, and where it was `stored` once it was sent."""
    letter = replay.letter
    if replay.skipped:
        return escape(f"skip    {letter.position:<14} {letter.code:<20} {replay.skipped}")
    planned = replay.topic if replay.partition is None else f"{replay.topic}[{replay.partition}]"
    where = stored or planned
    return escape(f"replay  {letter.position:<14} {letter.code:<20} → {where}, replay {letter.replays + 1}")


def as_json(letter: Letter, *, is_whole: bool = False) -> str:
    """Return a letter as JSON on one line; with `is_whole` its headers and value as well, bytes in base64."""
    fields: dict[str, Any] = {
        "position": letter.position,
        "time_ms": letter.time_ms,
        "topic": letter.source and letter.source.topic,
        "partition": letter.source and letter.source.partition,
        "offset": letter.source and letter.source.offset,
        "code": letter.code,
        "detail": letter.detail,
        "replays": letter.replays,
        "key": _base64(letter.key),
    }
    if is_whole:
        fields["headers"] = [[name, _base64(value)] for name, value in letter.headers]
        fields["value"] = _base64(letter.value)
    return json.dumps(fields, ensure_ascii=False)


def replay_as_json(replay: Replay, stored: Source | None) -> str:
    """Return the same as JSON on one line."""
    letter = replay.letter
    fields: dict[str, Any] = {"position": letter.position, "code": letter.code, "skipped": replay.skipped or None}
    if not replay.skipped:
        fields |= {"topic": replay.topic, "partition": replay.partition, "replay": letter.replays + 1}
        fields["sent_to"] = None if stored is None else str(stored)
    return json.dumps(fields, ensure_ascii=False)


def escape(text: str) -> str:
    """Return the text with everything that is not to be printed written out, line ends as well."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _readable(value: bytes | None) -> str:
    """Return bytes as text where they are some, lines kept; the rest written out."""
    if value is None:
        return "(null)"
    return "\n".join(map(escape, value.decode(errors="backslashreplace").split("\n")))


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()
