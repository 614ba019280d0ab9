#!/usr/bin/env bash
# Chromium and its driver, from Debian's packages, for the tests that look at pages.
#
#   chromium.sh up
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/common.sh" chromium "$@"
case $VERB in
  up)
    install_for chromium:chromium chromedriver:chromium-driver
    [ -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ] || install_for dejavu-sans:fonts-dejavu-core
    say "ready: $(chromium --version 2>/dev/null)"
    ;;
  down) ;;
  *) die "up or down?" 64 ;;
esac
