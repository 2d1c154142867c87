#!/bin/sh
# Build the Go tool pinned in tests/full/tools/NAME (go.mod and go.sum) once, and print the path of the binary.
# The cache is keyed by the digest of both files, so a changed pin is a new build and an old one is never mistaken for it.
set -eu
name=${1:?"usage: scripts/gotool.sh NAME, a folder of tests/full/tools"}
pins=$(cd "$(dirname "$0")/../tests/full/tools/$name" && pwd)
key=$(cat "$pins/go.mod" "$pins/go.sum" | sha256sum | cut -c1-16)
binary="${XDG_CACHE_HOME:-$HOME/.cache}/slipway/$name-$key/$name"
if [ ! -x "$binary" ]; then
    mkdir -p "$(dirname "$binary")"
    package=$(cd "$pins" && go list -e -f '{{.ImportPath}}' tool)
    # Every hash stands in go.sum, which -mod=readonly enforces: no checksum database is asked, no other toolchain fetched.
    (cd "$pins" && GOTOOLCHAIN=local GONOSUMDB='*' GOFLAGS=-mod=readonly CGO_ENABLED=0 \
        go build -trimpath -o "$binary.$$" "$package") >&2
    mv "$binary.$$" "$binary"  # atomic: two at once both end with a whole binary
fi
echo "$binary"
