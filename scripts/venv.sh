#!/bin/sh
# Makes the private environment .venv from the hashed lock, and again only when a lock or the package's metadata changed.
set -eu
cd "$(dirname "$0")/.."

fail() { printf 'slipway: %s\n' "$1" >&2; exit 2; }

case "$(uname -s)-$(uname -m)" in
  Linux-x86_64 | Linux-aarch64 | Darwin-arm64) ;;
  *) fail "this platform ($(uname -s) $(uname -m)) has no wheels in the lock. Use Linux on x86-64 or arm64, or macOS 14+ on arm64." ;;
esac

python=""
for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3}; do
  if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
[ -n "$python" ] || fail "needs Python 3.11, 3.12 or 3.13; found $(command -v ${PYTHON:-python3} > /dev/null && ${PYTHON:-python3} --version || echo none). Install one, or name it: make PYTHON=/path/to/python3.11 ..."

stamp=$(cat requirements/*.txt scripts/venv.sh | cksum; "$python" --version)
[ -f .venv/stamp ] && [ "$(cat .venv/stamp)" = "$stamp" ] && exit 0

echo "slipway: installing into .venv (about 1 GB; once, until a lock changes)"
rm -rf .venv
"$python" -m venv .venv || fail "'$python -m venv' failed. On Debian and Ubuntu: apt-get install python3-venv"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/installer.txt ||
  fail "pip could not install uv: see above. It needs a package index (PyPI, or PIP_INDEX_URL)."
export VIRTUAL_ENV="$PWD/.venv" UV_SYSTEM_CERTS=1 UV_LINK_MODE=copy
.venv/bin/uv pip install --require-hashes --requirement requirements/development.txt
.venv/bin/uv pip install --quiet --no-deps --no-build-isolation --editable .
printf '%s\n' "$stamp" > .venv/stamp
