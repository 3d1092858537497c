"""API keys: kept as hashes, compared in full, several at once, and read again when their file changes."""

import logging
import os
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from gateway import keys
from gateway.keys import ApiKeys, KeysError, hash_line, new_key, parse_hashes


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def write(file: Path, *lines: str) -> None:
    """Replace the file as an operator's tool does: by another one in its place."""
    fresh = file.with_suffix(".new")
    fresh.write_text("\n".join(lines))
    os.replace(fresh, file)


def test_keys_have_256_bits_and_differ() -> None:
    made = {new_key() for _ in range(1_000)}

    assert len(made) == 1_000
    assert all(re.fullmatch(r"nlp_[A-Za-z0-9_-]{43}", key) for key in made)


def test_a_key_is_kept_as_its_sha256() -> None:
    assert hash_line("app", "secret") == f"app:{sha256(b'secret').hexdigest()}"


@pytest.mark.parametrize("name", ["", "two words", "a:b", "a,b", "x" * 65, "ü"])
def test_a_name_that_would_not_survive_the_file_is_refused(name: str) -> None:
    with pytest.raises(KeysError):
        hash_line(name, "secret")


def test_several_keys_are_known_at_once_from_setting_and_file(file: Path) -> None:
    old, new, third = new_key(), new_key(), new_key()
    write(file, "# of the app", hash_line("new", new), "", hash_line("third", third) + "  # to go in May")

    known = ApiKeys(hash_line("old", old), file)

    assert [known.owner_of(key) for key in (old, new, third)] == ["old", "new", "third"]


@pytest.mark.parametrize("shown", ["", "nlp_", "x" * 100_000, "ключ", "\udcff", "name"])
def test_what_is_no_key_is_not_known(shown: str) -> None:
    known = ApiKeys(hash_line("name", new_key()), None)

    assert known.owner_of(shown) is None


def test_a_hash_is_no_key() -> None:
    line = hash_line("name", new_key())

    assert ApiKeys(line, None).owner_of(line.partition(":")[2]) is None


def test_every_key_is_compared_in_constant_time_whichever_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(keys, "compare_digest", compare)
    mine = [new_key() for _ in range(5)]
    known = ApiKeys(",".join(hash_line(f"k{number}", key) for number, key in enumerate(mine)), None)

    for shown in (mine[0], mine[4], "unknown"):
        compared.clear()
        known.owner_of(shown)
        assert [other for _, other in compared] == [sha256(key.encode()).digest() for key in mine]


def test_without_any_key_nobody_is_known(file: Path) -> None:
    write(file, "# none yet")

    assert ApiKeys("", file).owner_of(new_key()) is None


@pytest.mark.parametrize("text", ["nlp_a-key-by-mistake", "name:abc", f"name:{'g' * 64}", f"a b:{'0' * 64}"])
def test_an_entry_that_is_no_hash_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(KeysError, match="line 2") as refused:
        parse_hashes(f"# first\n{text}")

    assert text not in str(refused.value)


def test_a_name_that_is_there_twice_is_refused() -> None:
    with pytest.raises(KeysError, match="twice"):
        parse_hashes(f"{hash_line('a', '1')},{hash_line('a', '2')}")


@pytest.mark.parametrize("content", [None, b"nonsense", b"\xff\xfe"])
def test_a_file_that_cannot_be_read_stops_the_start(file: Path, content: bytes | None) -> None:
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(KeysError, match=str(file)):
        ApiKeys("", file)


def test_a_changed_file_is_read_within_a_second(file: Path) -> None:
    clock, old, new = Clock(), new_key(), new_key()
    write(file, hash_line("old", old))
    known = ApiKeys("", file, clock)

    write(file, hash_line("new", new))
    clock.now = 0.9
    before = [known.owner_of(key) for key in (old, new)]
    clock.now = 1.0
    after = [known.owner_of(key) for key in (old, new)]

    assert (before, after) == (["old", None], [None, "new"])


def test_a_file_that_gets_worse_leaves_the_keys_as_they_were_and_says_so_once(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock, key, new = Clock(), new_key(), new_key()
    write(file, hash_line("app", key))
    known = ApiKeys("", file, clock)

    owners = []
    for state in ("half a li", None):
        if state is None:
            file.unlink()
        else:
            write(file, state)
        for _ in range(3):
            clock.now += 1
            owners.append(known.owner_of(key))
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    write(file, hash_line("app", new))
    clock.now += 1

    assert owners == ["app"] * 6
    assert len(said) == 2
    assert known.owner_of(new) == "app"


def test_the_command_adds_to_a_file_what_knows_the_key_that_it_shows(file: Path) -> None:
    shown = []
    for name in ("app-1", "app-2"):
        with file.open("a") as lines:
            command = [sys.executable, "-m", "gateway.keys", name]
            done = subprocess.run(command, stdout=lines, stderr=subprocess.PIPE, text=True, check=True)
        shown.append(done.stderr.split()[-1])
    known = ApiKeys("", file)

    assert [known.owner_of(key) for key in shown] == ["app-1", "app-2"]
    assert not any(key in file.read_text() for key in shown)


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["--help"], ["two words"]])
def test_the_command_explains_itself(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert keys.main(arguments) == 2
    assert capsys.readouterr().out == ""
