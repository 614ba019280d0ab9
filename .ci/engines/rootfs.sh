#!/usr/bin/env bash
# A small Debian with Python 3.11 and numpy as a folder, from Debian packages and wheels alone. Packages are unpacked and
# none of their scripts runs, so it takes seconds.
#
#   rootfs.sh DIR
set -euo pipefail
OUT=${1:?usage: rootfs.sh DIR}
PYTHON=${HARNESS_PYTHON:-python3}
NUMPY=numpy==1.26.4
PACKAGES=(
  base-files base-passwd libc6 libc-bin libgcc-s1 gcc-12-base libstdc++6 libgomp1 zlib1g libbz2-1.0 liblzma5 libexpat1
  libffi8 libssl3 libuuid1 libcrypt1 libacl1 libattr1 libselinux1 libpcre2-8-0 libtinfo6 libgmp10 libsqlite3-0
  media-types dash bash coreutils sed grep findutils tar gzip libpython3.11-minimal libpython3.11-stdlib
  python3.11-minimal tini
)
mkdir -p "$(dirname "$OUT")"
exec 8>"$OUT.lock"
flock -w 300 8
[ ! -e "$OUT/.complete" ] || exit 0
rm -rf "$OUT"
mkdir -p "$OUT"
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
chmod 755 "$WORK"

if [ -z "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -print -quit 2>/dev/null)" ]; then
  apt-get -o DPkg::Lock::Timeout=300 update >/dev/null
fi
(cd "$WORK" && apt-get -o APT::Sandbox::User=root download -qq "${PACKAGES[@]}")
for folder in bin sbin lib lib64; do
  mkdir -p "$OUT/usr/$folder"
  ln -s "usr/$folder" "$OUT/$folder"
done
for package in "$WORK"/*.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar -x -C "$OUT" --keep-directory-symlink --no-same-owner
done
rm -rf "$OUT"/usr/share/{doc,man,locale,info,lintian,bug} "$OUT"/usr/lib/x86_64-linux-gnu/gconv
ln -sf dash "$OUT/usr/bin/sh"
ln -sf python3.11 "$OUT/usr/bin/python3"
ln -sf python3 "$OUT/usr/bin/python"
mkdir -p "$OUT"/{proc,sys,dev,tmp,run,srv,root,home,etc,mnt,opt,input,output,var/tmp}
chmod 1777 "$OUT/tmp" "$OUT/var/tmp"
cat >"$OUT/etc/passwd" <<'FILE'
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
sub:x:1000:1000:submission:/srv:/bin/sh
FILE
printf 'root:x:0:\nnogroup:x:65534:\nsub:x:1000:\n' >"$OUT/etc/group"
printf '127.0.0.1 localhost\n' >"$OUT/etc/hosts"
printf 'hosts: files\npasswd: files\ngroup: files\n' >"$OUT/etc/nsswitch.conf"
: >"$OUT/etc/resolv.conf"
ldconfig -r "$OUT"
SITE=$OUT/usr/local/lib/python3.11/dist-packages
"$PYTHON" -m pip install -q --disable-pip-version-check --root-user-action ignore --no-warn-conflicts \
  --no-compile --only-binary :all: \
  --python-version 3.11 --implementation cp --platform manylinux2014_x86_64 --platform manylinux_2_28_x86_64 \
  --target "$SITE" "$NUMPY"
find "$OUT/usr/local/lib" -type d -name tests -prune -exec rm -rf {} +
# compiled now and never checked against file times: a read-only root cannot compile later, and an archive drops the times
chroot "$OUT" /usr/bin/python3 -m compileall -q --invalidation-mode unchecked-hash \
  /usr/lib/python3.11 /usr/local/lib/python3.11 \
  >/dev/null 2>&1 || true
chroot "$OUT" /usr/bin/python3 -c 'import json, ssl, numpy'
touch "$OUT/.complete"
