# What the engine scripts share. Sourced, not run: `. common.sh NAME "$@"` after setting any defaults.
# Everything of an engine (sockets, pid files, logs, data) lies in one folder of its own, HOME_OF_ENGINE.

NAME=$1; VERB=${2:-}; shift 2 || { sed -n '2,12p' "$0"; exit 64; }
HOME_OF_ENGINE=${HARNESS_ENGINES:-/var/tmp/harness-engines}/$NAME
WIPE=0
NOT_TO_BE_HAD=75 # what a script says where a package cannot be had today

say() { echo "$NAME: $*" >&2; }
die() { say "FAILED: $1"; exit "${2:-1}"; }

option() { # option value → how many words it took; those every script knows
  case $1 in
    --home) HOME_OF_ENGINE=$2; TOOK=2 ;;
    --wipe) WIPE=1; TOOK=1 ;;
    *) die "unknown option $1" 64 ;;
  esac
}

begin() { # the folder and its lock; one script at a time works on one engine
  [ "$(id -u)" = 0 ] || die "needs root"
  mkdir -p "$HOME_OF_ENGINE"/{run,log,etc}
  chmod 755 "$HOME_OF_ENGINE"
  exec 9>"$HOME_OF_ENGINE/.lock"
  flock -w 300 9 || die "another script holds $HOME_OF_ENGINE/.lock"
}

install_for() { # command:package… → the packages of the commands that are missing
  local pair missing=() log
  for pair in "$@"; do command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${missing[*]}"
  log=$(mktemp)
  { apt-get -o DPkg::Lock::Timeout=300 update &&
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}"
  } >"$log" 2>&1 9>&- || { tail -n 20 "$log" >&2; die "apt-get install ${missing[*]}"; }
  rm -f "$log"
}

is_running() { # pid name → whether that process lives; a zombie keeps its name
  [ -n "$1" ] && [ "$(cat "/proc/$1/comm" 2>/dev/null)" = "$2" ] &&
    ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

is_alive() { # name → whether the daemon whose pid file we wrote lives
  local pid
  pid=$(cat "$HOME_OF_ENGINE/run/$1.pid" 2>/dev/null) || return 1
  is_running "$pid" "$1"
}

wait_until() { # seconds what command…
  local end=$(($(date +%s) + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if [ "$(date +%s)" -ge "$end" ]; then
      for log in "$HOME_OF_ENGINE"/log/*.log; do echo "== $log"; tail -n 8 "$log"; done >&2
      die "$what was not ready in time"
    fi
    sleep 0.1
  done
}

end_daemon() { # name → end the daemon whose pid file we wrote, and no other
  local pid
  pid=$(cat "$HOME_OF_ENGINE/run/$1.pid" 2>/dev/null) || return 0
  if is_running "$pid" "$1"; then
    kill "$pid"
    for _ in $(seq 100); do is_running "$pid" "$1" || break; sleep 0.1; done
    if is_running "$pid" "$1"; then kill -9 "$pid"; say "$1 ($pid) had to be killed"; fi
  fi
  rm -f "$HOME_OF_ENGINE/run/$1.pid"
}

answers() { # socket → whether an engine with the Docker API answers
  [ -S "$1" ] && "${HARNESS_PYTHON:-python3}" - "$1" <<'PY'
import socket, sys
line = socket.socket(socket.AF_UNIX)
line.settimeout(5)
line.connect(sys.argv[1])
line.sendall(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n")
sys.exit(b" 200 " not in line.recv(200))
PY
}

wipe() { # unmount and remove everything of the engine
  { grep -o " $HOME_OF_ENGINE/[^ ]*" /proc/self/mounts || true; } | sort -r |
    while read -r place; do umount "$place" 2>/dev/null || true; done
  rm -rf "$HOME_OF_ENGINE"
}
