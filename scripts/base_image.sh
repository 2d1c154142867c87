#!/bin/sh
# Makes a Debian base image with Python, for trying the runtime image where no base of your own is at hand, as an OCI
# archive: scripts/base_image.sh ARCHIVE [PACKAGE...]; the platform image needs the package git. Needs root, debootstrap
# and buildah. Production takes a base you maintain.
set -eu
archive=$1
shift
packages=$(printf '%s,' ca-certificates python3 python3-venv "$@")
suite=bookworm
mirror=$(apt-get indextargets --format '$(SITE)' "Release: $suite" | head -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

debootstrap --variant=minbase --include="${packages%,}" "$suite" "$work/root" "$mirror" >"$work/log" 2>&1 ||
  { tail -n 20 "$work/log" >&2; exit 2; }
cd "$work/root"
rm -rf var/cache/apt/* var/cache/debconf/* var/cache/ldconfig/* var/lib/apt/lists/* var/log/* \
  usr/share/doc/* usr/share/man/* usr/share/locale/* etc/machine-id
# The archive has no times, so byte code that remembers its source's time would be stale on every start: remember its hash.
find . -name __pycache__ -prune -exec rm -rf {} +
PYTHONHASHSEED=0 chroot . python3 -m compileall -q --invalidation-mode unchecked-hash /usr/lib/python3.11 /usr/lib/python3
tar --sort=name --mtime=@0 --numeric-owner --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' -cf "$work/root.tar" .

cat >"$work/Containerfile" <<EOF
FROM scratch
ADD root.tar /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
CMD ["python3"]
EOF
buildah build --quiet --identity-label=false --timestamp 0 --tag slipway-base --file "$work/Containerfile" "$work" >&2
buildah push --quiet slipway-base "oci-archive:$archive:base"
buildah rmi slipway-base >/dev/null
