#!/bin/bash
# The storage engine alone, beside the limits of the machine: small fragments, large ones, start-up and index.
# Options are passed on: --directory DIR, --quick, --only small|start|large, --fragments N.
set -euo pipefail
cd "$(dirname "$0")/.."
swift build --quiet -c "${CONFIGURATION:-release}" --product chunkstore-benchmark
exec ".build/${CONFIGURATION:-release}/chunkstore-benchmark" "$@"
