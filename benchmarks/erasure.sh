#!/bin/bash
# Encoding and decoding of erasure-coded rows, 4 + 2 and 8 + 2, beside the bare kernels of ISA-L on the same bytes.
# Options are passed on: --rows N, --seconds S.
set -euo pipefail
cd "$(dirname "$0")/.."
swift build --quiet -c "${CONFIGURATION:-release}" --product erasure-benchmark
exec ".build/${CONFIGURATION:-release}/erasure-benchmark" "$@"
