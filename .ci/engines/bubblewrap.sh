#!/usr/bin/env bash
# bubblewrap, from Debian's package.
#
#   bubblewrap.sh up
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/common.sh" bubblewrap "$@"
case $VERB in
  up) install_for bwrap:bubblewrap setpriv:util-linux; say "ready: $(bwrap --version)" ;;
  down) ;;
  *) die "up or down?" 64 ;;
esac
