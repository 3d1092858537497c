"""Run as a script: becomes a command that ends with the process that started it, even when that one is killed.

    python tether.py PARENT_PID SIGNAL COMMAND...

It runs after the fork and before the command, where Python code of a process with threads must not.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main(parent_pid: int, signal_number: int, command: list[str]) -> None:
    """Ask the kernel for the signal, then become the command."""
    # Only Linux has it; elsewhere a runner that is killed leaves its children, one that ends in order does not.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal_number)
        # The parent may have ended before the kernel was asked.
        if os.getppid() != parent_pid:
            sys.exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
