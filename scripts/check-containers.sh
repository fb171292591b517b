#!/usr/bin/env bash
# Builds the images, starts docker-compose.yaml and uses it as a client would: files come back bit for bit while a storage node
# is killed, and after everything was restarted. Containers and volumes are removed at the end.
#
# Takes a docker engine that answers; else podman with podman-compose.
#
# CONTAINERS=no        leaves all of this out
# CONTAINERS_PREPARE   a program that makes podman able to build here, and prints shell lines to evaluate (../shared/containers/prepare);
#                      what it puts into PODMAN_BUILD_ARGS is given to podman build
# CHUNKFLOW_HTTP_PORT  where REST is published (31080)
# CHUNKFLOW_S3_PORT    where S3 is published (31090)
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "== $*"; }

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

if [[ ${CONTAINERS:-} == no ]]; then
    say "the containers are left out: CONTAINERS=no"
    exit 0
fi

prepare=${CONTAINERS_PREPARE:-../shared/containers/prepare}
if docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1; then
    engine=docker
    compose=(docker compose)
else
    if [[ -x $prepare ]]; then eval "$("$prepare")"; fi
    if ! command -v podman >/dev/null || ! command -v podman-compose >/dev/null; then
        fail "the containers cannot be checked: no docker engine with compose answers, and podman with podman-compose is not there." \
            "Start one, install the other, or leave this out: make test CONTAINERS=no"
    fi
    engine=podman
    compose=(podman-compose)
fi
compose+=(-p chunkflow-check)

export CHUNKFLOW_HTTP_PORT=${CHUNKFLOW_HTTP_PORT:-31080}
export CHUNKFLOW_S3_PORT=${CHUNKFLOW_S3_PORT:-31090}
export CHUNKFLOW_CLUSTER_SECRET=${CHUNKFLOW_CLUSTER_SECRET:-check-$RANDOM$RANDOM}
server=http://127.0.0.1:$CHUNKFLOW_HTTP_PORT
work=$(mktemp -d)

end() {
    local status=$?
    trap - EXIT
    if ((status != 0)); then "${compose[@]}" logs 2>&1 | tail -n 80 || true; fi
    "${compose[@]}" down --volumes >"$work/down.log" 2>&1 || cat "$work/down.log"
    rm -rf "$work"
    exit "$status"
}
trap end EXIT
trap 'exit 130' INT TERM

wait_until() {
    local what=$1 limit=$2
    shift 2
    local deadline=$((SECONDS + limit))
    until "$@"; do
        if ((SECONDS >= deadline)); then fail "not within $limit seconds: $what"; fi
        sleep 0.5
    done
}

build() {
    local role arguments=()
    # Its own format of images knows no health checks.
    if [[ $engine == podman ]]; then read -r -a arguments <<<"--format docker ${PODMAN_BUILD_ARGS:-}"; fi
    for role in distributor storage; do
        "$engine" build "${arguments[@]}" --file "$role.Dockerfile" --tag "chunkflow-$role" . >"$work/build.log" 2>&1 || {
            tail -n 60 "$work/build.log" >&2
            fail "the image chunkflow-$role cannot be built"
        }
    done
}

containers() { "$engine" ps --format '{{.Names}}' | grep "^chunkflow-check[-_]$1"; }

ready() { curl --silent --fail --max-time 5 "$server/health/ready" >"$work/ready"; }

nodes_up() {
    local count
    count=$(curl --silent --fail --max-time 5 "$server/cluster" | grep -o '"state" *: *"up"' | wc -l)
    [[ $count -eq $1 ]]
}

upload() {
    curl --silent --show-error --fail --max-time 120 -X POST "$server/upload" -H "Content-Type: multipart/form-data" -F "file=@$1" |
        sed -n 's/.*"fileID" *: *"\([^"]*\)".*/\1/p'
}

check_download() {
    curl --silent --show-error --fail --max-time 120 "$server/download/$1" -o "$work/result.bin"
    cmp "$2" "$work/result.bin"
}

# The health check that the compose file names. podman leaves running it to systemd, which is not everywhere.
healthy() {
    if [[ $engine == podman ]]; then
        podman healthcheck run "$1" >"$work/health.log" 2>&1
    else
        [[ $("$engine" inspect --format '{{.State.Health.Status}}' "$1") == healthy ]]
    fi
}

check_confinement() {
    local name=$1 user
    user=$("$engine" exec "$name" id -u)
    [[ $user == 10001 ]] || fail "$name runs as user $user"
    if "$engine" exec "$name" touch /usr/local/bin/written 2>"$work/touch.log"; then fail "the root file system of $name can be written to"; fi
    "$engine" exec "$name" touch /tmp/written
    [[ $("$engine" exec "$name" sed -n 's/^CapEff:\t0*//p' /proc/1/status) == "" ]] || fail "$name has capabilities"
    [[ $("$engine" exec "$name" sed -n 's/^NoNewPrivs:\t//p' /proc/1/status) == 1 ]] || fail "$name can gain privileges"
}

say "build"
began=$SECONDS
build
say "built in $((SECONDS - began)) s"

say "start"
# What a run that was killed left behind.
"${compose[@]}" down --volumes >"$work/down.log" 2>&1 || true
"${compose[@]}" up --no-build -d >"$work/up.log" 2>&1 || {
    cat "$work/up.log" >&2
    fail "docker-compose.yaml cannot be started"
}
wait_until "ready" 120 ready
wait_until "four nodes up" 60 nodes_up 4

say "upload and download"
head -c 50000000 /dev/urandom >"$work/first.bin"
head -c 20000000 /dev/urandom >"$work/second.bin"
first=$(upload "$work/first.bin")
check_download "$first" "$work/first.bin"

say "users, file systems, health checks"
[[ $(containers . | wc -l) -eq 5 ]] || fail "not five containers"
for name in $(containers .); do
    check_confinement "$name"
    wait_until "$name is healthy" 60 healthy "$name"
done

say "kill a storage node"
victim=$(containers storage2)
"$engine" kill "$victim" >"$work/kill.log"
check_download "$first" "$work/first.bin"
second=$(upload "$work/second.bin")
check_download "$second" "$work/second.bin"
wait_until "the node is seen to be down" 60 nodes_up 3

say "restart everything"
"${compose[@]}" stop >"$work/stop.log" 2>&1
"${compose[@]}" start >"$work/start.log" 2>&1
wait_until "ready" 120 ready
wait_until "four nodes up" 60 nodes_up 4
check_download "$first" "$work/first.bin"
check_download "$second" "$work/second.bin"
say "containers work, in $((SECONDS - began)) s"
