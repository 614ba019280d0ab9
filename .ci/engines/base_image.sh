#!/usr/bin/env bash
# The image `perturbfm-base` (Debian, Python 3.11, numpy) on an engine with the Docker API, from Debian packages and
# wheels alone: no container registry is asked. Built anew only when its recipe changes.
#
#   base_image.sh SOCKET
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
SOCKET=${1:?usage: base_image.sh SOCKET}
IMAGE=perturbfm-base:latest
RECIPE=$(sha256sum <"$HERE/rootfs.sh" | cut -c1-16)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

api() { # method path [file] → the status; the body lies in $WORK/answer
  "${HARNESS_PYTHON:-python3}" - "$SOCKET" "$1" "$2" "${3:-}" "$WORK/answer" <<'PY'
import http.client, os, socket, sys
address, method, path, body, answer = sys.argv[1:]

class Engine(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(300)
        self.sock.connect(address)

headers = {"Content-Type": "application/x-tar"}
content = None
if body:
    content, headers["Content-Length"] = open(body, "rb"), str(os.path.getsize(body))
engine = Engine("engine")
engine.request(method, path, body=content, headers=headers)
reply = engine.getresponse()
open(answer, "wb").write(reply.read())
print(reply.status)
PY
}

if [ "$(api GET "/v1.40/images/$IMAGE/json")" = 200 ] && grep -q "$RECIPE" "$WORK/answer"; then exit 0; fi
ROOT=${HARNESS_ENGINES:-/var/tmp/harness-engines}/rootfs-$RECIPE
bash "$HERE/rootfs.sh" "$ROOT"
mkdir "$WORK/context"
tar -C "$ROOT" --exclude=./.complete --numeric-owner --sort=name --mtime=@0 -cf "$WORK/context/base.tar" .
cat >"$WORK/context/Dockerfile" <<DOCKERFILE
FROM scratch
ADD base.tar /
ENV PATH=/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 LANG=C.UTF-8
LABEL org.perturbfm.base.recipe=$RECIPE
WORKDIR /srv
CMD ["python3"]
DOCKERFILE
tar -C "$WORK/context" -cf "$WORK/context.tar" Dockerfile base.tar
status=$(api POST "/v1.40/build?t=$IMAGE&networkmode=none&forcerm=1&nocache=1" "$WORK/context.tar")
if [ "$status" != 200 ] || [ "$(api GET "/v1.40/images/$IMAGE/json")" != 200 ]; then
  tail -c 600 "$WORK/answer" >&2
  echo "base_image: FAILED: building $IMAGE (HTTP $status)" >&2
  exit 1
fi
echo "base_image: $IMAGE built" >&2
