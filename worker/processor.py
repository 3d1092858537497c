"""What the processor can do, as far as inference has to know."""

import platform
from pathlib import Path

_EXACT = {"avx512_vnni", "avx_vnni"}


def instructions(described: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Return the x86 instruction sets that Linux names, none where there is nothing to be read."""
    if not described.is_file():
        return frozenset()
    names = (line.partition(":") for line in described.read_text(encoding="utf-8").splitlines())
    return frozenset(next((flags.split() for name, _, flags in names if name.strip() == "flags"), ()))


def saturates(machine: str, available: frozenset[str]) -> bool:
    """Return whether the processor adds products of an unsigned and a signed byte in 16 bits, which overflow.

    Two products are up to 2 * 255 * 127, more than 32,767: x86 without VNNI cuts the rest off and says nothing
    (`VPMADDUBSW`; microsoft/onnxruntime issue 6004). `machine`: as `platform.machine` names it.
    """
    return machine in ("x86_64", "AMD64") and available.isdisjoint(_EXACT)


def saturates_here() -> bool:
    """Return whether this machine's processor does."""
    return saturates(platform.machine(), instructions())
