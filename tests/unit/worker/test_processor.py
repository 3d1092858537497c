"""Which processors add products of bytes in 16 bits."""

from pathlib import Path

import pytest

from worker.processor import describe_processor, saturates

ZEN_3 = "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu fma avx2 sha_ni\n\nprocessor\t: 1\nflags\t\t: fpu\n"


def test_first_processor_is_described(tmp_path: Path) -> None:
    described = tmp_path / "cpuinfo"
    described.write_text(ZEN_3)

    assert describe_processor(described) == {"processor": "0", "model name": "AMD EPYC", "flags": "fpu fma avx2 sha_ni"}


def test_nothing_is_said_where_the_system_does_not(tmp_path: Path) -> None:
    assert describe_processor(tmp_path / "missing") == {}


@pytest.mark.parametrize(
    ("machine", "described", "expected"),
    [
        ("x86_64", {"flags": "avx2"}, True),
        ("x86_64", {"flags": "avx2 avx512f avx512bw"}, True),
        ("x86_64", {"flags": "avx2 avx_vnni"}, False),
        ("x86_64", {"flags": "avx2 avx512f avx512_vnni"}, False),
        # The right answer, more slowly, where nothing is known.
        ("AMD64", {}, True),
        ("aarch64", {"Features": "fp asimd asimddp"}, False),
    ],
)
def test_only_x86_without_vnni_saturates(machine: str, described: dict[str, str], expected: bool) -> None:
    assert saturates(machine, described) is expected
