"""Which processors add products of bytes in 16 bits."""

from pathlib import Path

import pytest

from worker.processor import instructions, saturates

ZEN_3 = "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu fma avx2 sha_ni\n\nprocessor\t: 1\nflags\t\t: fpu\n"
GRAVITON = "processor\t: 0\nFeatures\t: fp asimd asimddp\n"


def test_instructions_are_those_of_the_first_processor(tmp_path: Path) -> None:
    described = tmp_path / "cpuinfo"
    described.write_text(ZEN_3)

    assert instructions(described) == {"fpu", "fma", "avx2", "sha_ni"}


def test_nothing_is_known_of_a_system_or_processor_of_another_kind(tmp_path: Path) -> None:
    described = tmp_path / "cpuinfo"
    described.write_text(GRAVITON)

    assert instructions(described) == instructions(tmp_path / "missing") == frozenset()


@pytest.mark.parametrize(
    ("machine", "available", "expected"),
    [
        ("x86_64", {"avx2"}, True),
        ("x86_64", {"avx2", "avx512f", "avx512bw"}, True),
        ("x86_64", {"avx2", "avx_vnni"}, False),
        ("x86_64", {"avx2", "avx512f", "avx512_vnni"}, False),
        # The right answer, more slowly, where nothing is known.
        ("AMD64", set(), True),
        ("aarch64", set(), False),
    ],
)
def test_only_x86_without_vnni_saturates(machine: str, available: set[str], expected: bool) -> None:
    assert saturates(machine, frozenset(available)) is expected
