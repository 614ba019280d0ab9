#!/usr/bin/env bash
# Podman's service on a private socket for tests; Debian, root, no systemd.
#
#   podman.sh up [--home DIR] [--no-image]    start it where it does not run; build the base image where it is missing
#   podman.sh down [--home DIR] [--wipe]      end what `up` started
#
# Afterwards: . DIR/env.sh   (CONTAINER_HOST, CONTAINERS_CONF, CONTAINERS_STORAGE_CONF)
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/common.sh" podman "$@"
shift
IMAGE=1
while [ $# -gt 0 ]; do
  case $1 in --no-image) IMAGE=0; shift ;; *) option "$@"; shift $TOOK ;; esac
done
SOCKET=$HOME_OF_ENGINE/run/engine.sock
unset CONTAINER_HOST # with it, `podman` is a client of that socket
export CONTAINERS_CONF=$HOME_OF_ENGINE/etc/containers.conf CONTAINERS_STORAGE_CONF=$HOME_OF_ENGINE/etc/storage.conf

configure() {
  # runc: crun refuses hybrid cgroups. ulimits: Podman otherwise asks for more than a root without CAP_SYS_RESOURCE may
  # set. netns none: a container that asks for nothing gets no network, and no bridge is made.
  local files
  files=$(ulimit -Hn)
  cat >"$CONTAINERS_CONF" <<CONF
[containers]
netns="none"
log_driver="k8s-file"
default_ulimits=["nofile=$files:$files","nproc=4096:4096"]
[engine]
cgroup_manager="cgroupfs"
events_logger="file"
runtime="runc"
tmp_dir="$HOME_OF_ENGINE/run/tmp"
volume_path="$HOME_OF_ENGINE/data/volumes"
CONF
  cat >"$CONTAINERS_STORAGE_CONF" <<CONF
[storage]
driver="overlay"
graphroot="$HOME_OF_ENGINE/data/storage"
runroot="$HOME_OF_ENGINE/run/storage"
CONF
}

up() {
  begin
  install_for podman:podman runc:runc conmon:conmon catatonit:catatonit
  configure
  if ! { is_alive podman && answers "$SOCKET" 2>/dev/null; }; then
    rm -f "$SOCKET"
    # a working directory of its own: conmon drops a file named `oom` there when a container runs out of memory
    (cd "$HOME_OF_ENGINE/run" && exec setsid podman system service --time=0 "unix://$SOCKET" \
      </dev/null >"$HOME_OF_ENGINE/log/podman.log" 2>&1 9>&-) &
    echo $! >"$HOME_OF_ENGINE/run/podman.pid"
    wait_until 30 "Podman's service" answers "$SOCKET"
  fi
  [ "$IMAGE" = 0 ] || bash "$HERE/base_image.sh" "$SOCKET" 9>&-
  cat >"$HOME_OF_ENGINE/env.sh" <<ENV
export CONTAINER_HOST=unix://$SOCKET
export CONTAINERS_CONF=$CONTAINERS_CONF CONTAINERS_STORAGE_CONF=$CONTAINERS_STORAGE_CONF
ENV
  say "ready at unix://$SOCKET"
}

down() {
  [ -d "$HOME_OF_ENGINE/run" ] || return 0
  begin
  if [ -f "$CONTAINERS_CONF" ]; then # containers do not end with the service
    podman rm --all --force --time 2 >/dev/null 2>&1 9>&- || true
    [ "$WIPE" = 0 ] || podman rmi --all --force >/dev/null 2>&1 9>&- || true
  fi
  end_daemon podman
  rm -f "$SOCKET"
  [ "$WIPE" = 0 ] || wipe
  say "down"
}

case $VERB in up) up ;; down) down ;; *) die "up or down?" 64 ;; esac
