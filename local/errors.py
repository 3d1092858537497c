"""Why a local run cannot start or go on, as one tree; the message is for the person at the terminal.

    LocalError
    ├── PortTaken       another process listens where one of ours should
    ├── DiskFull        no room for the broker's data or jars
    ├── JavaMissing     neither a system Java nor the packaged one runs
    ├── JarsMissing     the broker's jars are not here and cannot be downloaded
    ├── JarRefused      a downloaded jar is not the one that the lock file names
    └── ProcessDied     the broker, or a process that may not be restarted again, is gone

Raising any of them ends the run; nothing that was started is left.
"""


class LocalError(RuntimeError):
    """The root: says in one message what is wrong and what to do."""


class PortTaken(LocalError):
    """Another process listens where one of ours should."""


class DiskFull(LocalError):
    """No room for the broker's data or jars."""


class JavaMissing(LocalError):
    """Neither a system Java nor the packaged one runs."""


class JarsMissing(LocalError):
    """The broker's jars are not here and cannot be downloaded."""


class JarRefused(LocalError):
    """A downloaded jar is not the one that the lock file names."""


class ProcessDied(LocalError):
    """The broker, or a process that may not be restarted again, is gone."""
