"""Writes `kafka.lock.json`: the broker's jars as Maven resolves them today, with their sums (`make lock`)."""

import json
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from jgo.parse import Endpoint

from local.jars import LOCK, Jar, maven_context, sha256_of

KAFKA = "4.3.1"
# The marks "!" keep each coordinate's own dependency management: without them jgo resolves with the endpoints'
# and picks an older kafka-clients than the broker's. The broker's jars have no log binding of their own.
ENDPOINT = "+".join(
    f"{coordinate}!"
    for coordinate in (
        f"org.apache.kafka:kafka_2.13:{KAFKA}",
        f"org.apache.kafka:kafka-tools:{KAFKA}",
        "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
    )
)


def resolve(directory: Path) -> list[Jar]:
    """Return the jars that running the broker takes, downloaded below `directory`, sorted by coordinate."""
    context = maven_context(directory, lambda _: None)
    wanted = [replace(given, scope="compile") for given in Endpoint.parse(ENDPOINT).coordinates]
    direct, transitive = context.resolver.resolve([context.create_dependency(given) for given in wanted])
    jars = []
    for dependency in (*direct, *transitive):
        if dependency.scope in ("compile", "runtime"):
            path = dependency.artifact.resolve()
            coordinate = f"{dependency.groupId}:{dependency.artifactId}:{dependency.version}"
            jars.append(Jar(coordinate, sha256_of(path), path.stat().st_size))
    return sorted(jars, key=lambda jar: jar.coordinate)


def main() -> None:
    """Write the lock file and say what it holds."""
    with tempfile.TemporaryDirectory(prefix="jars-") as directory:
        jars = resolve(Path(directory))
    lock = {"endpoint": ENDPOINT, "jars": [asdict(jar) for jar in jars]}
    LOCK.write_text(json.dumps(lock, indent=1) + "\n")
    print(f"{LOCK.name}: {len(jars)} jars, {sum(jar.size_bytes for jar in jars) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
