#!/bin/bash
# The containers' health check, with nothing but bash: exits with 0 when GET /health/ready is answered with 200 at CHUNKFLOW_HTTP, the address
# that the server in the same container listens on.
set -euo pipefail

address=${CHUNKFLOW_HTTP:?is not set}
port=${address##*:}
host=${address%:*}
host=${host#[}
host=${host%]}
# These stand for every address of the container.
if [[ -z $host || $host == 0.0.0.0 || $host == :: ]]; then host=127.0.0.1; fi

exec 3<> "/dev/tcp/$host/$port"
printf 'GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
read -r -t 5 _ status _ <&3
[[ $status == 200 ]]
