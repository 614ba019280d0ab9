#!/usr/bin/env bash
# A private Docker engine for tests, without network, bridge or firewall rules; Debian, root, no systemd.
#
#   docker.sh up [--home DIR] [--no-image]    start it where it does not run; build the base image where it is missing
#   docker.sh down [--home DIR] [--wipe]      end what `up` started
#
# Afterwards: . DIR/env.sh   (DOCKER_HOST)
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/common.sh" docker "$@"
shift
IMAGE=1
while [ $# -gt 0 ]; do
  case $1 in --no-image) IMAGE=0; shift ;; *) option "$@"; shift $TOOK ;; esac
done
SOCKET=$HOME_OF_ENGINE/run/engine.sock

end_orphan() { # a killed dockerd leaves its containerd, and the next one waits for it in vain
  local file=$HOME_OF_ENGINE/exec/containerd/containerd.pid pid
  pid=$(cat "$file" 2>/dev/null) || return 0
  if is_running "$pid" containerd; then kill -9 "$pid"; fi
  rm -f "$file"
}

start() { # storage driver
  end_orphan
  rm -f "$SOCKET" "$HOME_OF_ENGINE/run/dockerd.pid"
  echo '{}' >"$HOME_OF_ENGINE/etc/daemon.json" # must be JSON; /dev/null is refused
  setsid dockerd --config-file "$HOME_OF_ENGINE/etc/daemon.json" --host "unix://$SOCKET" \
    --data-root "$HOME_OF_ENGINE/data" --exec-root "$HOME_OF_ENGINE/exec" --pidfile "$HOME_OF_ENGINE/run/dockerd.pid" \
    --storage-driver "$1" --shutdown-timeout 5 --log-level warn \
    --bridge=none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false --userland-proxy=false \
    </dev/null >"$HOME_OF_ENGINE/log/dockerd.log" 2>&1 9>&- &
  for _ in $(seq 300); do
    answers "$SOCKET" 2>/dev/null && return 0
    kill -0 $! 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}

up() {
  begin
  install_for dockerd:docker.io
  if ! { is_alive dockerd && answers "$SOCKET" 2>/dev/null; }; then
    start overlay2 || { say "overlay2 refused, trying vfs"; start vfs; } ||
      { tail -n 8 "$HOME_OF_ENGINE/log/dockerd.log" >&2; die "dockerd did not start"; }
  fi
  [ "$IMAGE" = 0 ] || bash "$HERE/base_image.sh" "$SOCKET" 9>&-
  echo "export DOCKER_HOST=unix://$SOCKET" >"$HOME_OF_ENGINE/env.sh"
  say "ready at unix://$SOCKET"
}

down() {
  [ -d "$HOME_OF_ENGINE/run" ] || return 0
  begin
  end_daemon dockerd
  rm -f "$SOCKET"
  [ "$WIPE" = 0 ] || wipe
  say "down"
}

case $VERB in up) up ;; down) down ;; *) die "up or down?" 64 ;; esac
