#!/usr/bin/env bash
# Installs LocalStack and the engine inside it for runs without Docker ("host mode"), outside the checkout, and
# prints where. What is already there is used as it is.
#
# An installation appears under its final name only when it is whole (built aside, then renamed), so one that was
# interrupted is simply done again. The name holds a digest of this file and constraints.txt: other pins, other directory.
set -euo pipefail

localstack=4.14.0
# The npm package that carries AWS's DynamoDB Local (1.25.1). AWS's own licence: fetched here, never committed.
engine=amplify-dynamodb-simulator@2.9.30
engine_sha256=3503ffac19f183407909fecdacf4db51ab1fdad1da7b2f177016670b2d80e4b9

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${LOCALSTACK_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/dynamo-once/localstack}

main() {
  local python digest target
  python=$(find_python)
  digest=$(cat "${BASH_SOURCE[0]}" "$here/constraints.txt" | "$python" -c \
    'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest()[:12])')
  mkdir -p "$root"
  target=$(cd "$root" && pwd)/$localstack-$digest

  if ! usable "$target"; then
    lock
    usable "$target" || install "$python" "$target"
  fi
  echo "$target"
}

# The base interpreter can go away under a virtual environment (an upgrade, a removed pyenv version).
usable() { [ -d "$1" ] && "$1/venv/bin/python" -c 'import localstack' 2>/dev/null; }

# One installation at a time. Without flock(1) two may run side by side: the renaming keeps that harmless.
lock() {
  if command -v flock >/dev/null; then
    exec 9>"$root/lock"
    flock -n 9 || { say "waiting for another installation to finish"; flock 9; }
    rm -rf "$root"/partial.*
  fi
}

install() {
  local python=$1 target=$2 log
  command -v npm >/dev/null || fail "npm was not found. LocalStack without Docker needs it to fetch DynamoDB Local."
  # Not local: the trap runs after this function has gone.
  partial=$(mktemp -d "$root/partial.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  log=$root/install.log
  : >"$log"

  say "installing LocalStack $localstack into $target (about half a minute, 300 MB)"
  logged "$python" -m venv "$partial/venv"
  logged env PIP_DISABLE_PIP_VERSION_CHECK=1 "$partial/venv/bin/python" -m pip install --no-input -c "$here/constraints.txt" \
    "localstack-core[base-runtime]==$localstack" moto-ext pymongo cbor2 cryptography pyopenssl service-identity localstack-twisted
  logged npm pack "$engine" --silent --pack-destination "$partial"
  logged "$partial/venv/bin/python" - "$partial" "$engine_sha256" <<'PYTHON'
# Checks the engine's archive and lays its emulator out as LocalStack expects it.
import hashlib, pathlib, shutil, sys, tarfile

partial, expected = pathlib.Path(sys.argv[1]), sys.argv[2]
[archive] = partial.glob("*.tgz")
actual = hashlib.sha256(archive.read_bytes()).hexdigest()
if actual != expected:
    sys.exit(f"{archive.name}: SHA-256 is {actual}, not {expected}")

unpacked = partial / "unpacked"
with tarfile.open(archive) as tar:
    tar.extractall(unpacked, filter="data")
engine = partial / "lib" / "dynamodb-local" / "2"
engine.parent.mkdir(parents=True)
(unpacked / "package" / "emulator").rename(engine)
shutil.rmtree(unpacked)
archive.unlink()
PYTHON

  # LocalStack starts "its" Java 21 with an agent; neither is here. run.sh says which Java it is instead.
  mkdir -p "$partial/lib/java/21/bin"
  cat >"$partial/lib/java/21/bin/java" <<'JAVA'
#!/usr/bin/env bash
set -euo pipefail
args=()
for arg; do [[ $arg == -javaagent:* ]] || args+=("$arg"); done
[ -z "${DYNAMO_ONCE_ENGINES:-}" ] || echo $$ >>"$DYNAMO_ONCE_ENGINES"
exec "${DYNAMO_ONCE_JAVA:-java}" "${args[@]}"
JAVA
  chmod +x "$partial/lib/java/21/bin/java"

  rm -rf "$target"
  mv "$partial" "$target"
}

# A shim on the PATH may answer for a Python that isn't there, so every candidate has to run.
find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.13 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13*/bin/python3.13 python3; do
    if [ -n "$candidate" ] && "$candidate" -c \
      'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 13))' >/dev/null 2>&1; then
      echo "$candidate"
      return
    fi
  done
  fail "Python 3.13 was not found: not as python3.13 on the PATH, not among pyenv's versions, not in \$PYTHON.
  LocalStack $localstack without Docker needs it (3.12 and 3.14 won't do). Install it, or start Docker."
}

logged() {
  "$@" >>"$log" 2>&1 || { tail -n 30 "$log" >&2; fail "installation failed at: $1 (the whole log: $log)"; }
}

say() { echo "localstack: $*" >&2; }
fail() { say "$*"; exit 1; }

main "$@"
