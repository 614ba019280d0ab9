# Every engine, each within its own time limit. Sourced from the repository: `. .ci/engines/up.sh`
# Afterwards ENGINES_UP names those that are up, and the variables that lead to them are exported.
# A package that cannot be had today (exit 75) leaves its engine out, with a loud line; any other failure is one.

HARNESS_ENGINES=${HARNESS_ENGINES:-/var/tmp/harness-engines}
HARNESS_PYTHON=$PWD/.venv/bin/python
export HARNESS_ENGINES HARNESS_PYTHON
ENGINES_UP=()

engine_up() { # name marker seconds
  local code=0 begin=$SECONDS
  timeout --kill-after=10 "$3" ".ci/engines/$1.sh" up || code=$?
  if [ "$code" = 75 ]; then
    echo "################################################################################"
    echo "# LEFT OUT: $1 cannot be had on this machine today; its tests will skip"
    echo "################################################################################"
    return 0
  elif [ "$code" != 0 ]; then
    echo "$1 did not come up (exit $code; 124 means that its $3 s were over)" >&2
    return "$code"
  fi
  ENGINES_UP+=("$2")
  if [ -f "$HARNESS_ENGINES/$1/env.sh" ]; then . "$HARNESS_ENGINES/$1/env.sh"; fi
  echo "$1 is up after $((SECONDS - begin)) s"
}

engine_up bubblewrap bwrap 300
engine_up docker docker 600
engine_up podman podman 600
engine_up apptainer apptainer 600
engine_up slurm slurm 600
engine_up chromium chromium 600
