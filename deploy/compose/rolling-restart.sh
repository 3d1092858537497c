#!/usr/bin/env bash
# Replaces the workers one after another by new ones, of the present image and settings, while the others go on.
# usage, from the directory of docker-compose.yml: deploy/compose/rolling-restart.sh
set -euo pipefail
patience_s=${1:-180}

healthy_workers() {
    docker compose ps --quiet worker | xargs docker inspect --format '{{.State.Health.Status}}' | grep -cx healthy || true
}

workers=$(docker compose ps --quiet worker)
count=$(wc -w <<< "$workers")
for worker in $workers; do
    # It finishes and commits what it took, and leaves the group: its partitions move at once.
    docker stop "$worker" > /dev/null
    printf '%.12s ended with %s\n' "$worker" "$(docker inspect --format '{{.State.ExitCode}}' "$worker")"
    docker rm "$worker" > /dev/null
    docker compose up --detach --no-deps --no-recreate --scale worker="$count" worker
    deadline=$((SECONDS + patience_s))
    until (($(healthy_workers) == count)); do
        ((SECONDS < deadline)) || { echo "not all $count workers are healthy after $patience_s s" >&2; exit 1; }
        sleep 1
    done
done
