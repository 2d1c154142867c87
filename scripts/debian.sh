#!/bin/sh
# Installs the Debian packages that `make test-full` needs, or with `cluster` those of `make cluster-up`, and only those
# that are missing. Needs root.
set -eu
case "${1:-full}" in
  full)
    packages="buildah chromium debootstrap docker-registry iproute2 lua5.1 postgresql prometheus runc skopeo strace wrk"
    command -v npm > /dev/null || packages="$packages nodejs npm"  # Node's own packages hold npm, and refuse Debian's
    ;;
  cluster)
    packages="conntrack containerd containernetworking-plugins docker-registry iproute2 nftables runc"
    packages="$packages buildah debootstrap postgresql prometheus skopeo"
    ;;
  *) echo "usage: scripts/debian.sh [full | cluster]" >&2; exit 2 ;;
esac

missing=""
for package in $packages; do
  dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if ! command -v apt-get > /dev/null || [ "$(id -u)" != 0 ]; then
  echo "slipway: this needs root on Debian or Ubuntu, and these packages:$missing" >&2
  exit 2
fi
echo "slipway: installing$missing"
apt-get update --quiet=2
# shellcheck disable=SC2086  # a list of words
DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends $missing > /dev/null
