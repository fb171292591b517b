#!/bin/bash
# Installs the Debian packages that are missing. Asks nothing, starts no service; does nothing when all are there.
#   install-dependencies.sh build       what building and running need
#   install-dependencies.sh test        and what the tests need
#   install-dependencies.sh benchmark   and what the benchmarks need
set -euo pipefail

packages=(
    libisal-dev    # checksums and erasure coding
    libsqlite3-dev # metadata
    libxml2-dev    # documents of the S3 API
    zlib1g-dev     # linked by the HTTP libraries
    pkg-config     # tells SwiftPM where the libraries are
    git            # SwiftPM fetches packages with it
)
for_tests=(
    curl           # integration tests
    iproute2       # integration tests that cut networks
    prometheus     # checks the metrics and asks for what the dashboards show
    python3        # integration tests
    python3-venv
    rclone         # clients of the S3 API
    restic
    s3fs
)
for_benchmarks=(
    wrk            # load over HTTP
)

case ${1:-} in
    build) ;;
    test) packages+=("${for_tests[@]}") ;;
    benchmark) packages+=("${for_tests[@]}" "${for_benchmarks[@]}") ;;
    *)
        echo "usage: ${0##*/} build|test|benchmark" >&2
        exit 64
        ;;
esac

if ! command -v swift > /dev/null; then
    echo "swift was not found: install Swift 6.3 from https://www.swift.org/install/linux/ and run make again" >&2
    exit 1
fi

if ! command -v dpkg > /dev/null || ! command -v apt-get > /dev/null; then
    if pkg-config --exists libisal sqlite3 libxml-2.0 2> /dev/null; then exit 0; fi
    echo "this is no Debian: install ISA-L, SQLite 3, libxml2 and zlib with their headers, pkg-config, git, curl and Python 3 yourself" >&2
    exit 1
fi

missing=()
for package in "${packages[@]}"; do
    if [[ $(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2> /dev/null) != installed ]]; then missing+=("$package"); fi
done
if [[ ${#missing[@]} -eq 0 ]]; then exit 0; fi

as_root=()
if [[ $(id -u) -ne 0 ]]; then
    if ! command -v sudo > /dev/null; then
        echo "missing, and neither root nor sudo is there to install them: ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi

# Debian starts the service of whatever it installs, and a Prometheus that nobody asked for would listen on every address of the machine.
# Whether a package may start something is answered by policy-rc.d (101: no), with systemd and without. One that is there stays as it is.
policy=/usr/sbin/policy-rc.d
if [[ " ${missing[*]} " == *" prometheus "* && ! -e $policy ]]; then
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" > /dev/null
    "${as_root[@]}" chmod 755 "$policy"
fi

echo "installing ${missing[*]}"
"${as_root[@]}" apt-get update --quiet < /dev/null
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends "${missing[@]}" < /dev/null

# Nor at the next boot.
if [[ " ${missing[*]} " == *" prometheus "* && -d /run/systemd/system ]]; then
    "${as_root[@]}" systemctl disable --quiet --now prometheus.service
fi
