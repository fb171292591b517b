#!/usr/bin/env bash
# Builds the images, starts docker-compose.yaml and uses it as a client would: files come back bit for bit while a storage node
# is killed, and after everything was restarted. Containers and volumes are removed at the end.
#
# COMPOSE   what stands in for "docker compose" (podman-compose, with options)
# ENGINE    what stands in for "docker"
set -euo pipefail
cd "$(dirname "$0")/.."

read -r -a compose <<<"${COMPOSE:-docker compose}"
compose+=(-p chunkflow-check)
engine=${ENGINE:-docker}
export CHUNKFLOW_HTTP_PORT=${CHUNKFLOW_HTTP_PORT:-38080}
export CHUNKFLOW_CLUSTER_SECRET=${CHUNKFLOW_CLUSTER_SECRET:-check-$RANDOM$RANDOM}
server=http://127.0.0.1:$CHUNKFLOW_HTTP_PORT
work=$(mktemp -d)

end() {
    local status=$?
    if ((status != 0)); then "${compose[@]}" logs 2>&1 | tail -n 80 || true; fi
    "${compose[@]}" down --volumes >"$work/down.log" 2>&1 || cat "$work/down.log"
    rm -rf "$work"
    exit "$status"
}
trap end EXIT

say() { printf '%s\n' "== $*"; }

wait_until() {
    local what=$1 limit=$2
    shift 2
    local deadline=$((SECONDS + limit))
    until "$@"; do
        if ((SECONDS >= deadline)); then
            echo "not within $limit seconds: $what" >&2
            return 1
        fi
        sleep 0.5
    done
}

ready() { curl --silent --fail --max-time 5 "$server/health/ready" >"$work/ready"; }

states() { curl --silent --fail --max-time 5 "$server/cluster" | grep -o "\"state\" *: *\"$1\"" | wc -l; }

nodes_up() { [[ $(states up) -eq $1 ]]; }

upload() {
    curl --silent --show-error --fail --max-time 120 -X POST "$server/upload" -H "Content-Type: multipart/form-data" -F "file=@$1" |
        sed -n 's/.*"fileID" *: *"\([^"]*\)".*/\1/p'
}

check_download() {
    curl --silent --show-error --fail --max-time 120 "$server/download/$1" -o "$work/result.bin"
    cmp "$2" "$work/result.bin"
}

head -c 50000000 /dev/urandom >"$work/first.bin"
head -c 20000000 /dev/urandom >"$work/second.bin"

say "build and start"
"${compose[@]}" up --build -d
wait_until "ready" 120 ready
wait_until "four nodes up" 60 nodes_up 4

say "upload and download"
first=$(upload "$work/first.bin")
check_download "$first" "$work/first.bin"

say "kill a storage node"
victim=$("$engine" ps --format '{{.Names}}' | grep 'chunkflow-check[-_]storage2')
# Stopped for good, whatever the restart policy: a killed container would be back at once.
"$engine" stop --time 0 "$victim" >"$work/stop.log" 2>&1
check_download "$first" "$work/first.bin"
second=$(upload "$work/second.bin")
check_download "$second" "$work/second.bin"
wait_until "the node is seen to be down" 60 nodes_up 3

say "restart everything"
"${compose[@]}" stop >"$work/stop.log" 2>&1
"${compose[@]}" start
wait_until "ready" 120 ready
wait_until "four nodes up" 60 nodes_up 4
check_download "$first" "$work/first.bin"
check_download "$second" "$work/second.bin"

say "health checks and users"
for name in $("$engine" ps --format '{{.Names}}' | grep '^chunkflow-check'); do
    "$engine" exec "$name" true
    user=$("$engine" exec "$name" id -u)
    if [[ $user == 0 ]]; then echo "$name runs as root" >&2; exit 1; fi
    case $name in
        *storage*) "$engine" exec "$name" sh -c 'container-health tcp "$CHUNKFLOW_LISTEN"' ;;
        *) "$engine" exec "$name" sh -c 'container-health http "$CHUNKFLOW_HTTP" /health/ready' ;;
    esac
done
say "containers work"
