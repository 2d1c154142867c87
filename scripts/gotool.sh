#!/bin/sh
# Build the Go programs pinned in tools/NAME (go.mod and go.sum) once, and print the path of one of them: of NAME, or of
# PROGRAM where there are several. The cache is keyed by the digest of the pins, so a changed pin is a new build and an old
# one is never mistaken for it.
set -eu
name=${1:?"usage: scripts/gotool.sh NAME [PROGRAM], a folder of tools/ and a program in it"}
program=${2:-$name}
pins=$(cd "$(dirname "$0")/../tools/$name" && pwd)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/slipway"
key=$(cd "$pins" && find . -type f | LC_ALL=C sort | xargs cat | sha256sum | cut -c1-16)
folder="$cache/$name-$key"
if [ ! -x "$folder/$program" ]; then
    mkdir -p "$cache"
    echo "slipway: building $name from tools/$name (once; minutes if it is large)" >&2
    made=$(mktemp -d "$cache/$name.XXXXXX")
    trap 'rm -rf "$made"' EXIT
    packages=$(cd "$pins" && go list -e -f '{{.ImportPath}}' tool)
    out="$made/$name"  # a single program is called as its folder, whatever its package is
    [ "$(echo "$packages" | wc -l)" = 1 ] || out="$made/"
    stamp=""
    [ ! -f "$pins/ldflags" ] || stamp=$(tr '\n' ' ' < "$pins/ldflags")
    # Every hash stands in go.sum, which -mod=readonly enforces: no checksum database is asked, no other toolchain fetched.
    # shellcheck disable=SC2086  # a list of packages
    (cd "$pins" && GOTOOLCHAIN=local GONOSUMDB='*' GOFLAGS=-mod=readonly CGO_ENABLED=0 \
        go build -trimpath -ldflags "-s -w $stamp" -o "$out" $packages) >&2
    mv -T "$made" "$folder" 2> /dev/null || [ -x "$folder/$program" ]  # two at once: the first one's stays
fi
echo "$folder/$program"
