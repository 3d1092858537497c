"""What the figures were measured on."""

import os
import platform
from importlib.metadata import version

import psutil

from benchmarks.results import Machine
from local.lock import KAFKA
from worker.processor import describe_processor

PACKAGES = ("onnxruntime", "tokenizers", "faust-streaming", "aiokafka", "fastapi", "uvicorn")


def describe_machine() -> Machine:
    """Return this machine, its load before the run, and the versions of what does the work."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        system=f"{platform.system()} {platform.release().split('-')[0]}",
        load=round(os.getloadavg()[0], 2),
        versions={
            "python": platform.python_version(),
            "kafka": KAFKA,
            **{package: version(package) for package in PACKAGES},
        },
    )


def _processor() -> str:
    """Return the processor's name and the instructions that int8 inference lives on (Linux)."""
    described = describe_processor()
    flags = described.get("flags", "").split()
    fast = [name for name in ("avx2", "avx_vnni", "avx512f", "avx512_vnni") if name in flags]
    return f"{described.get('model name', platform.processor())} ({', '.join(fast)})"
