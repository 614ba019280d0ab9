#!/usr/bin/env bash
# A private SLURM of one node on loopback for tests, with accounting and counted GPUs that are none; Debian, root, no systemd.
#
#   slurm.sh up [--home DIR] [--port N] [--no-accounting] [--polled]
#       start what does not run; N, N+1, N+2 are its ports; --polled: no cgroups, for a second SLURM on one machine
#   slurm.sh down [--home DIR] [--wipe]    end its jobs, then its daemons
#
# Keys, sockets, state and logs lie under DIR; /etc/slurm and /etc/munge are not touched. Afterwards: . DIR/env.sh (SLURM_CONF)
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/common.sh" slurm "$@"
shift
PORT=17817
ACCOUNTING=1
POLLED=0
while [ $# -gt 0 ]; do
  case $1 in
    --port) PORT=$2; shift 2 ;;
    --no-accounting) ACCOUNTING=0; shift ;;
    --polled) POLLED=1; shift ;;
    *) option "$@"; shift $TOOK ;;
  esac
done
ETC=$HOME_OF_ENGINE/etc RUN=$HOME_OF_ENGINE/run LOG=$HOME_OF_ENGINE/log
SOCKET=$HOME_OF_ENGINE/munge/munge.sock
CPUS=8 MEMORY_MB=131072 # what it says it has, not what it has
export SLURM_CONF=$ETC/slurm.conf
. "$HERE/slurm_conf.sh"

packages() {
  install_for munged:munge slurmctld:slurmctld slurmd:slurmd sbatch:slurm-client
  [ "$ACCOUNTING" = 1 ] || return 0
  install_for slurmdbd:slurmdbd mariadbd:mariadb-server-core mariadb-install-db:mariadb-server-core \
    mariadb:mariadb-client-core
  if ! ls /usr/lib/*/slurm*/accounting_storage_mysql.so >/dev/null 2>&1; then
    install_for accounting-storage-mysql:slurm-wlm-mysql-plugin
  fi
}

ports_are_free() {
  local offset=0 daemon
  for daemon in slurmctld slurmd slurmdbd; do
    if ! is_alive $daemon && (exec 3<>"/dev/tcp/127.0.0.1/$((PORT + offset))") 2>/dev/null; then
      die "port $((PORT + offset)) ($daemon) is taken by another process; choose --port"
    fi
    offset=$((offset + 1))
  done
}

# 9>&- : no daemon may inherit the lock
start_munge() {
  ! is_alive munged || return 0
  mkdir -p "$HOME_OF_ENGINE/munge"
  chmod 755 "$HOME_OF_ENGINE/munge"
  if [ ! -s "$HOME_OF_ENGINE/munge/munge.key" ]; then
    (umask 077; head -c 1024 /dev/urandom >"$HOME_OF_ENGINE/munge/munge.key")
  fi
  rm -f "$RUN/munged.pid" "$SOCKET"*
  munged --key-file="$HOME_OF_ENGINE/munge/munge.key" --socket="$SOCKET" --pid-file="$RUN/munged.pid" \
    --log-file="$LOG/munged.log" --seed-file="$HOME_OF_ENGINE/munge/munged.seed" 9>&-
  wait_until 10 munged munge -S "$SOCKET" -n
}

start_accounting() {
  [ "$ACCOUNTING" = 1 ] || return 0
  local data=$HOME_OF_ENGINE/mysql
  if ! is_alive mariadbd; then
    if [ ! -d "$data/mysql" ]; then
      mkdir -p "$data"
      mariadb-install-db --no-defaults --user=root --datadir="$data" --auth-root-authentication-method=normal \
        --skip-test-db >"$LOG/mariadb-install.log" 2>&1 9>&- || die "mariadb-install-db, see $LOG/mariadb-install.log"
    fi
    setsid mariadbd --no-defaults --user=root --datadir="$data" --socket="$RUN/mysql.sock" --skip-networking \
      --pid-file="$RUN/mariadbd.pid" --innodb-buffer-pool-size=64M --innodb-flush-log-at-trx-commit=0 \
      --innodb-lock-wait-timeout=900 </dev/null >"$LOG/mariadbd.log" 2>&1 9>&- &
    wait_until 90 mariadbd mariadb --no-defaults --socket="$RUN/mysql.sock" -u root -e 'select 1'
  fi
  if ! is_alive slurmdbd; then
    write_slurmdbd_conf
    MYSQL_UNIX_PORT="$RUN/mysql.sock" slurmdbd 9>&-
    wait_until 60 slurmdbd sacctmgr -n show cluster
    sacctmgr -n show cluster format=cluster | grep -qw harness || sacctmgr -i add cluster harness >/dev/null
  fi
}

has_a_node() { timeout 5 sinfo -h -o %T 2>/dev/null | grep -qE '^(idle|mixed|allocated)$'; }

up() {
  begin
  packages
  ports_are_free
  if ! is_alive slurmctld; then
    rm -rf "$HOME_OF_ENGINE/spool" "$HOME_OF_ENGINE/jobcomp"
    write_slurm_conf
  fi
  mkdir -p "$HOME_OF_ENGINE"/{spool/ctld,spool/d,jobcomp}
  start_munge
  start_accounting
  is_alive slurmctld || slurmctld -f "$SLURM_CONF" 9>&-
  is_alive slurmd || slurmd -f "$SLURM_CONF" -N localhost 9>&-
  wait_until 60 "a node that takes jobs" has_a_node
  echo "export SLURM_CONF=$SLURM_CONF" >"$HOME_OF_ENGINE/env.sh"
  say "ready: $(sinfo -h -o '%P %T %c cpus %G' | tr '\n' ';')"
}

end_jobs() { # first the jobs: their processes outlive slurmd
  local jobs
  is_alive slurmctld || return 0
  jobs=$(timeout 5 squeue -h -o %A 2>/dev/null | sort -u) || return 0 # without munged its clients hang
  [ -n "$jobs" ] || return 0
  # shellcheck disable=SC2086
  timeout 5 scancel $jobs 2>/dev/null || true
  for _ in $(seq 60); do [ -z "$(timeout 5 squeue -h 2>/dev/null)" ] && break; sleep 0.2; done
}

down() {
  [ -d "$RUN" ] || return 0
  begin
  end_jobs
  for daemon in slurmd slurmctld slurmdbd mariadbd munged; do end_daemon $daemon; done
  [ "$WIPE" = 0 ] || rm -rf "$HOME_OF_ENGINE"
  say "down"
}

case $VERB in up) up ;; down) down ;; *) die "up or down?" 64 ;; esac
