"""What the processor can do, as far as inference has to know."""

import platform
from collections.abc import Mapping
from pathlib import Path

_EXACT = {"avx512_vnni", "avx_vnni"}


def describe_processor(described: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """Return what Linux says of the first processor, by its own names; nothing where there is nothing to be read."""
    if not described.is_file():
        return {}
    first, _, _ = described.read_text(encoding="utf-8").partition("\n\n")
    fields = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in fields}


def saturates(machine: str, described: Mapping[str, str]) -> bool:
    """Return whether the processor adds products of an unsigned and a signed byte in 16 bits, which overflow.

    Two products are up to 2 * 255 * 127, more than 32,767: x86 without VNNI cuts the rest off and says nothing
    (`VPMADDUBSW`; microsoft/onnxruntime issue 6004). `machine`: as `platform.machine` names it.
    """
    return machine in ("x86_64", "AMD64") and _EXACT.isdisjoint(described.get("flags", "").split())


def saturates_here() -> bool:
    """Return whether this machine's processor does."""
    return saturates(platform.machine(), describe_processor())
