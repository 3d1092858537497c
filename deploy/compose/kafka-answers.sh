#!/usr/bin/env bash
# Health check of the broker: exit status 0 when it answers a request for its API versions.
#
# The request's bytes are written by hand, for Kafka's own tools start a Java machine for each question: size 10, API 18
# in version 0, correlation id 1, no client id. The answer begins with its size and the correlation id.
set -euo pipefail
exec 3<> "/dev/tcp/127.0.0.1/${1:-19092}"
printf '\0\0\0\12\0\22\0\0\0\0\0\1\377\377' >&3
test "$(head -c 8 <&3 | wc -c)" -eq 8
