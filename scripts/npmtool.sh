#!/bin/sh
# Installs the npm packages pinned in tools/NAME once, and runs a program of theirs.
# The cache is keyed by the digest of the pins, as in scripts/gotool.sh.
set -eu
name=${1:?"usage: scripts/npmtool.sh NAME PROGRAM [ARGUMENT...], a folder of tools/ and a program in it"}
program=${2:?"usage: scripts/npmtool.sh NAME PROGRAM [ARGUMENT...]"}
shift 2
pins=$(cd "$(dirname "$0")/../tools/$name" && pwd)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/slipway"
folder="$cache/$name-$(cat "$pins/package.json" "$pins/package-lock.json" "$pins/.npmrc" | sha256sum | cut -c1-16)"
if [ ! -d "$folder" ]; then
    mkdir -p "$cache"
    made=$(mktemp -d "$cache/$name.XXXXXX")
    trap 'rm -rf "$made"' EXIT
    cp "$pins/package.json" "$pins/package-lock.json" "$pins/.npmrc" "$made"
    npm ci --ignore-scripts --silent --prefix "$made" >&2
    mv -T "$made" "$folder" 2> /dev/null || [ -d "$folder" ]  # two at once: the first one's stays
fi
exec "$folder/node_modules/.bin/$program" "$@"
