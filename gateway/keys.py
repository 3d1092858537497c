"""The API keys that callers may show: kept as hashes, several at once, read again when their file changes.

    python -m gateway.keys NAME >> FILE     makes a key, adds its hash to the file, and shows the key this once

A key is 256 random bits, so one round of SHA-256 keeps it: nobody can try them out, which is all that a slow password
hash is against, and that would cost every request some 50 ms of CPU.
"""

import logging
import os
import re
import secrets
import sys
from collections.abc import Callable, Mapping
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from time import monotonic
from typing import TypeAlias

from schemas import ServiceError

Hashes: TypeAlias = Mapping[str, bytes]
"""A name for each key, which logs and metrics tell, and the key's SHA-256, 32 bytes."""

_KEY_BYTES = 32
_PREFIX = "nlp_"
"""Lets scanners for leaked secrets find a key in a repository or a log."""
_LINE = re.compile(r"([A-Za-z0-9._-]{1,64}):([0-9a-fA-F]{64})")
_LOOK_S = 1.0
"""Between two looks at the file: a key that was taken out opens the door for so long."""

_log = logging.getLogger(__name__)


class KeysError(ServiceError):
    """The file of the keys cannot be read, or holds what is no hash."""

    code = "invalid_keys"


def new_key() -> str:
    """Return a key that nobody can guess."""
    return _PREFIX + secrets.token_urlsafe(_KEY_BYTES)


def hash_line(name: str, key: str) -> str:
    """Return how the key stands in the file or the setting; raises `KeysError` for a name that cannot be kept."""
    line = f"{name}:{sha256(key.encode()).hexdigest()}"
    if not _LINE.fullmatch(line):
        raise KeysError("a name has 1 to 64 letters, digits, dots, dashes or underscores")
    return line


def parse_hashes(text: str) -> Hashes:
    """Return the hashes of `name:hash` entries, parted by commas or lines; `#` begins a comment.

    Raises `KeysError`, which never quotes an entry: it may be a key that was put there by mistake.
    """
    hashes: dict[str, bytes] = {}
    lines = [line.partition("#")[0] for line in text.splitlines()]
    for number, line in enumerate(lines, 1):
        for entry in filter(None, map(str.strip, line.split(","))):
            found = _LINE.fullmatch(entry)
            if found is None:
                raise KeysError(f"line {number}: not a name, a colon and 64 hexadecimal digits")
            if found[1] in hashes:
                raise KeysError(f"line {number}: {found[1]} is there twice")
            hashes[found[1]] = bytes.fromhex(found[2])
    return hashes


class ApiKeys:
    """The keys of a setting and of a file together; without any, nobody is let in."""

    def __init__(self, fixed: str, file: Path | None, clock: Callable[[], float] = monotonic) -> None:
        """Raise `KeysError` when the setting or the file cannot be read."""
        self._fixed = parse_hashes(fixed)
        self._file = file
        self._clock = clock
        self._next_look = clock() + _LOOK_S
        self._seen: object = None
        self._hashes = self._fixed
        self._read_file()

    def owner_of(self, key: str) -> str | None:
        """Return the name of the key, None for one that is not ours."""
        self._look()
        shown = sha256(key.encode("utf-8", "surrogateescape")).digest()
        owner = None
        # All of them, and each in constant time: how long it takes tells nothing of any key.
        for name, known in self._hashes.items():
            if compare_digest(shown, known):
                owner = name
        return owner

    def _look(self) -> None:
        """Read the file again when it has changed; what cannot be read leaves the keys as they were."""
        now = self._clock()
        if self._file is None or now < self._next_look:
            return
        self._next_look = now + _LOOK_S
        try:
            if self._read_file():
                _log.info("read %d API keys anew", len(self._hashes))
        except KeysError as error:
            _log.error("the API keys stay as they were: %s", error.detail)

    def _read_file(self) -> bool:
        """Take the file's keys in, if it is another than at the last look."""
        if self._file is None:
            return False
        version, text = _read(self._file)
        if version == self._seen:
            return False
        self._seen = version
        if text is None:
            raise KeysError(f"{self._file}: {version}")
        try:
            self._hashes = {**self._fixed, **parse_hashes(text)}
        except KeysError as error:
            raise KeysError(f"{self._file}: {error.detail}") from None
        return True


def _read(file: Path) -> tuple[object, str | None]:
    """Return what tells this version of a file from others, and its text; of one that cannot be read, only why."""
    try:
        state = os.stat(file)
        return (state.st_mtime_ns, state.st_ino, state.st_size), file.read_text()
    except OSError as error:
        return error.strerror, None
    except UnicodeDecodeError:
        return "not a text", None


def main(arguments: list[str]) -> int:
    """Print the line of a new key, and the key itself on standard error; return the exit status."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m gateway.keys NAME >> FILE", file=sys.stderr)
        return 2
    key = new_key()
    try:
        line = hash_line(arguments[0], key)
    except KeysError as error:
        print(f"gateway.keys: {error.detail}", file=sys.stderr)
        return 2
    print(line)
    print(f"the key of {arguments[0]}, shown this once: {key}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
