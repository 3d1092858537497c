"""What a run of the benchmark found, as it is kept in `results.json`."""

from statistics import median

from pydantic import BaseModel, ConfigDict

from benchmarks.measure import Spent
from benchmarks.stats import median_ratio, percentile

ONE_BY_ONE = "plain loop, one by one"
SORTED = "plain loop, sorted batches"
NAIVE = "naive consumer"
PRODUCT = "worker, end to end"
WAYS = (ONE_BY_ONE, SORTED, NAIVE, PRODUCT)
PLAIN = (ONE_BY_ONE, SORTED)


class Machine(BaseModel):
    """Where it was measured; `load` is the number of processes that wanted a core in the minute before."""

    model_config = ConfigDict(frozen=True)

    processor: str
    cores: int
    memory_gb: float
    system: str
    load: float
    versions: dict[str, str]


class Target(BaseModel):
    """A figure that was promised, and what was found."""

    model_config = ConfigDict(frozen=True)

    name: str
    wanted: str
    found: str
    is_met: bool


class Results(BaseModel):
    """All figures of one run; `rounds` holds for each round what each way spent, measured side by side."""

    model_config = ConfigDict(frozen=True)

    date: str
    command: str
    machine: Machine
    model: str
    threads: int
    documents: int
    tokens: int
    windows: int
    rounds: list[dict[str, Spent]]
    peak_memory_bytes: int
    ready_s: list[float]
    http_s: list[float]

    def documents_per_s(self, way: str) -> float:
        """Return the median of documents a second by the clock."""
        return median(self.documents / each[way].wall_s for each in self.rounds)

    def documents_per_cpu_s(self, way: str) -> float:
        """Return the median of documents a CPU-second."""
        return median(self.documents / each[way].cpu_s for each in self.rounds)

    def cpu_s_per_1000(self, way: str) -> float:
        """Return the median of CPU-seconds for a thousand documents."""
        return median(each[way].cpu_s * 1_000 / self.documents for each in self.rounds)

    def share_of_best_plain(self, way: str) -> float:
        """Return how many documents a CPU-second gives by `way`, as a share of what the better plain loop gives."""
        best = [min(each[plain].cpu_s for plain in PLAIN) for each in self.rounds]
        return median_ratio(best, [each[way].cpu_s for each in self.rounds])

    @property
    def p50_ms(self) -> float:
        """Median of the HTTP round trips in milliseconds."""
        return percentile(self.http_s, 50) * 1_000

    @property
    def p99_ms(self) -> float:
        """99th percentile of the HTTP round trips in milliseconds."""
        return percentile(self.http_s, 99) * 1_000

    def targets(self) -> list[Target]:
        """Return what was promised beside what was found."""
        share = self.share_of_best_plain(PRODUCT)
        memory_mb = self.peak_memory_bytes / 1e6
        ready_s = max(self.ready_s)
        return [
            _target("documents per CPU-second, of the better plain loop's", ">= 80 %", f"{share:.1%}", share >= 0.8),
            _target("worker's peak memory", "< 500 MB", f"{memory_mb:.0f} MB", memory_mb < 500),
            _target("worker ready after its start, slowest", "< 5 s", f"{ready_s:.1f} s", ready_s < 5),
            _target("HTTP round trip, 30-token text, p99", "< 50 ms", f"{self.p99_ms:.1f} ms", self.p99_ms < 50),
        ]


def _target(name: str, wanted: str, found: str, is_met: bool) -> Target:
    return Target(name=name, wanted=wanted, found=found, is_met=is_met)
