#!/bin/bash
# The containers' health check, with nothing but bash.
#   container-health http HOST:PORT PATH   GET answers 200
#   container-health tcp HOST:PORT         something accepts connections
set -euo pipefail

port=${2##*:}
exec 3<> "/dev/tcp/127.0.0.1/$port"
if [[ $1 == tcp ]]; then exit 0; fi
printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$3" >&3
read -r -t 5 _ status _ <&3
[[ $status == 200 ]]
