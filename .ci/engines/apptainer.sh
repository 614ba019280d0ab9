#!/usr/bin/env bash
# Apptainer on a Debian that has no package of it: sid's package and the libc it needs are unpacked into a folder of their
# own, and its two programs are pointed at that libc. The machine's packages and apt sources stay as they are.
#
#   apptainer.sh up [--home DIR]             exit 75: it cannot be had here today
#   apptainer.sh down [--home DIR] [--wipe]
#
# Afterwards: . DIR/env.sh   (PATH, APPTAINER_CACHEDIR, APPTAINER_TMPDIR)
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/common.sh" apptainer "$@"
shift
while [ $# -gt 0 ]; do option "$@"; shift $TOOK; done
SUITES=${HARNESS_APPTAINER_SUITES:-sid forky trixie-backports}
LIBC_SUITE=trixie
PREFIX=$HOME_OF_ENGINE/prefix

mirror() { grep -rhoE 'https?://[^ ]*/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | head -n 1 | tr -d ' '; }

fetch() { # suite package… → packages in $WORK/SUITE/deb, by an apt state of its own
  local suite=$1 state=$WORK/$1
  shift
  mkdir -p "$state"/{lists/partial,cache/archives/partial,deb}
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $MIRROR $suite main" >"$state/sources.list"
  cat >"$state/apt.conf" <<CONF
Dir::State::lists "$state/lists";
Dir::Cache "$state/cache";
Dir::Etc::sourcelist "$state/sources.list";
Dir::Etc::sourceparts "-";
APT::Sandbox::User "root";
CONF
  APT_CONFIG=$state/apt.conf apt-get update >"$state/log" 2>&1 &&
    (cd "$state/deb" && APT_CONFIG=$state/apt.conf apt-get download "$@" >>"$state/log" 2>&1)
}

unpack() {
  local suite found=""
  WORK=$(mktemp -d)
  trap 'rm -rf "$WORK"' EXIT
  MIRROR=$(mirror) || true
  [ -n "$MIRROR" ] || die "no Debian mirror among the apt sources" $NOT_TO_BE_HAD
  for suite in $SUITES; do
    if fetch "$suite" apptainer; then found=$suite; break; fi
  done
  [ -n "$found" ] || die "no suite has the package apptainer (looked in: $SUITES)" $NOT_TO_BE_HAD
  fetch $LIBC_SUITE libc6 libseccomp2 libsqlite3-0 || die "$LIBC_SUITE's libc6 could not be fetched" $NOT_TO_BE_HAD
  mkdir "$WORK/program" "$WORK/libraries"
  dpkg-deb -x "$WORK/$found"/deb/apptainer_*.deb "$WORK/program"
  for package in "$WORK/$LIBC_SUITE"/deb/*.deb; do dpkg-deb -x "$package" "$WORK/libraries"; done
  rm -rf "$PREFIX"
  mkdir -p "$PREFIX/libc" "$HOME_OF_ENGINE/cache"
  cp -a "$WORK/program/usr/." "$PREFIX/"
  cp -a "$WORK/program/etc" "$WORK/program/var" "$PREFIX/"
  cp -a "$WORK"/libraries/usr/lib/*-linux-gnu/*.so* "$PREFIX/libc/"
  relocate
  "$PREFIX/bin/apptainer" version >/dev/null || die "the unpacked apptainer does not start" $NOT_TO_BE_HAD
  touch "$PREFIX/.complete"
  say "unpacked $(basename "$WORK/$found"/deb/apptainer_*.deb) of $found"
}

relocate() {
  # the command looks for etc/ and var/ beside bin/, the starter beside lib/
  ln -sfn ../etc "$PREFIX/lib/etc"
  ln -sfn ../var "$PREFIX/lib/var"
  mkdir -p "$PREFIX/var/lib/apptainer/mnt/session"
  for program in "$PREFIX/bin/apptainer" "$PREFIX"/lib/*-linux-gnu/apptainer/bin/starter; do
    patchelf --set-interpreter "$(ls "$PREFIX"/libc/ld-linux-*)" --force-rpath --set-rpath "$PREFIX/libc" "$program"
  done
  # a root without CAP_SYS_RESOURCE cannot ask for all capabilities; without systemd there are no cgroups of systemd
  sed -i -e 's/^root default capabilities = .*/root default capabilities = no/' \
    -e 's/^systemd cgroups = .*/systemd cgroups = no/' "$PREFIX/etc/apptainer/apptainer.conf"
}

up() {
  begin
  install_for patchelf:patchelf mksquashfs:squashfs-tools squashfuse_ll:squashfuse newuidmap:uidmap
  [ -e "$PREFIX/.complete" ] && "$PREFIX/bin/apptainer" version >/dev/null 2>&1 || unpack
  echo "export PATH=$PREFIX/bin:\$PATH APPTAINER_CACHEDIR=$HOME_OF_ENGINE/cache APPTAINER_TMPDIR=/var/tmp" \
    >"$HOME_OF_ENGINE/env.sh"
  say "ready: apptainer $("$PREFIX/bin/apptainer" version)"
}

case $VERB in up) up ;; down) [ "$WIPE" = 0 ] || rm -rf "$HOME_OF_ENGINE" ;; *) die "up or down?" 64 ;; esac
