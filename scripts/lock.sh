#!/bin/sh
# Rewrites requirements/*.txt: universal, hashed, naming no index. The superset is resolved first, so that all three agree.
set -eu
cd "$(dirname "$0")/../requirements"
constraint=""
for name in development pipeline serving; do
  # shellcheck disable=SC2086  # the option and its file are two words
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
    --no-emit-index-url $constraint --output-file "$name.txt" "$name.in" "$@"
  constraint="--constraint $name.txt"
done
