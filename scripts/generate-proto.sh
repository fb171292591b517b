#!/usr/bin/env bash
# Regenerates the Swift of proto/ into Sources/ClusterProtocol/Generated. Needs protoc (Debian: protobuf-compiler).
set -euo pipefail
cd "$(dirname "$0")/.."
command -v protoc >/dev/null || { echo "protoc is missing: apt-get install protobuf-compiler" >&2; exit 1; }
swift build -c release --product protoc-gen-swift
swift build -c release --product protoc-gen-grpc-swift-2
plugins=$(swift build -c release --show-bin-path)
out=Sources/ClusterProtocol/Generated
rm -rf "$out"
mkdir -p "$out"
protoc --proto_path=proto \
    --plugin="$plugins/protoc-gen-swift" --swift_out="$out" --swift_opt=Visibility=Public,FileNaming=DropPath,UseAccessLevelOnImports=true \
    --plugin="$plugins/protoc-gen-grpc-swift-2" --grpc-swift-2_out="$out" \
    --grpc-swift-2_opt=Visibility=Public,FileNaming=DropPath,UseAccessLevelOnImports=true \
    $(cd proto && find . -name '*.proto' | sed 's|^\./||' | sort)
