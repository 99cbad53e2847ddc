#!/usr/bin/env bash
# Runs a command beside a LocalStack of its own: localstack/run.sh COMMAND [ARGUMENT...]
#
# LocalStack listens on 127.0.0.1 and a free port; the command finds it through AWS_ENDPOINT_URL. It runs in Docker
# where an engine answers, else straight on this machine. LOCALSTACK_MODE=docker or =host decides otherwise. The exit
# status is the command's.
#
# LocalStack lives no longer than this script, however the script ends: a watcher holds the other end of a pipe, and
# stops LocalStack when the pipe closes. So not even kill -9 leaves one behind.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${LOCALSTACK_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/dynamo-once/localstack}
patience=180 # seconds until it must answer; an image or an engine may be slow at its first start

main() {
  [ $# -gt 0 ] || fail "usage: localstack/run.sh COMMAND [ARGUMENT...]"
  command -v curl >/dev/null || fail "curl was not found; it tells when LocalStack is ready."

  run=$(mktemp -d "${TMPDIR:-/tmp}/dynamo-once-localstack.XXXXXX")
  log=$run/localstack.log
  trap stop EXIT

  case ${LOCALSTACK_MODE:-$(choose_mode)} in
    docker) start_in_docker ;;
    host) start_on_host ;;
    *) fail "LOCALSTACK_MODE is docker or host, not '$LOCALSTACK_MODE'." ;;
  esac
  await_ready

  # Nothing of the caller's own AWS setup may lead the command to a real table.
  unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL_DYNAMODB AWS_IGNORE_CONFIGURED_ENDPOINT_URLS
  export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
  export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
  export AWS_ENDPOINT_URL=$endpoint NO_PROXY="127.0.0.1,${NO_PROXY:-}"
  "$@" 8>&-
}

choose_mode() {
  if docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1; then echo docker; else echo host; fi
}

start_in_docker() {
  local address
  project=dynamo-once-$$
  say "starting LocalStack in Docker"
  watch docker compose -f "$here/docker-compose.yml" -p "$project" down --volumes --timeout 5
  LOCALSTACK_PORT='' compose up --detach >&2 || fail "the container did not start."
  address=$(compose port localstack 4566) || fail "the container is gone."
  endpoint=http://$address
}

start_on_host() {
  local installed java port
  java=$(find_java)
  installed=$("$here/install.sh")
  # A file system of its own, so that runs beside each other share the installation and nothing else.
  mkdir -p "$run/fs/var/lib/localstack" "$run/fs/etc/localstack/init"
  ln -s "$installed/lib" "$run/fs/var/lib/localstack/lib"
  ln -s "$here/ready.d" "$run/fs/etc/localstack/init/ready.d"
  port=$("$installed/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  endpoint=http://127.0.0.1:$port

  say "starting LocalStack on this machine, port $port"
  watch stop_on_host
  set -m # a process group of its own: the terminal's Ctrl-C is for the command, and stopping takes them all
  env -u AWS_ENDPOINT_URL -u AWS_PROFILE DYNAMO_ONCE_JAVA="$java" DYNAMO_ONCE_ENGINES="$run/engines" \
    OVERRIDE_IN_DOCKER=0 FILESYSTEM_ROOT="$run/fs" SERVICES=dynamodb EAGER_SERVICE_LOADING=1 \
    GATEWAY_LISTEN="127.0.0.1:$port" LOCALSTACK_HOST="127.0.0.1:$port" DNS_ADDRESS=0 DISABLE_EVENTS=1 \
    SKIP_SSL_CERT_DOWNLOAD=1 DYNAMODB_IN_MEMORY=1 DYNAMODB_SHARE_DB=1 \
    "$installed/venv/bin/python" -m localstack.runtime.main </dev/null >>"$log" 2>&1 8>&- &
  set +m
  runtime=$!
  echo "$runtime" >"$run/runtime"
}

find_java() {
  local candidate version
  for candidate in "${JAVA_HOME:+$JAVA_HOME/bin/java}" "$(command -v java || true)"; do
    [ -x "$candidate" ] || continue
    version=$("$candidate" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p') || continue
    [ "${version:-0}" -lt 17 ] || { echo "$candidate"; return; }
  done
  fail "Java 17 or newer was not found, neither under \$JAVA_HOME nor on the PATH. DynamoDB Local, the engine inside
  LocalStack, needs it. Install one, or start Docker."
}

await_ready() {
  local started=$SECONDS
  until get health | grep -q '"dynamodb": "running"' && get init/ready | grep -q '"completed": true'; do
    [ -z "${runtime:-}" ] || kill -0 "$runtime" 2>/dev/null || fail_with_log "LocalStack ended while it was starting."
    [ $((SECONDS - started)) -lt "$patience" ] || fail_with_log "LocalStack did not answer within $patience s."
    sleep 0.2
  done
  say "ready at $endpoint after $((SECONDS - started)) s"
}

get() { curl -sf --noproxy '*' --max-time 2 "$endpoint/_localstack/$1"; }

# watch COMMAND...: runs it, and removes this run's files, once this script is no more or has closed the pipe.
watch() {
  mkfifo "$run/alive"
  set -m
  (
    exec 7<"$run/alive"
    read -r -u 7 _ || true
    "$@"
    rm -rf "$run"
  ) </dev/null >>"$log" 2>&1 &
  set +m
  watcher=$!
  exec 8>"$run/alive"
}

# The runtime asks its engine to stop when it gets a SIGTERM. Where that takes longer than 10 s, nobody is asked.
stop_on_host() {
  local runtime engine i
  runtime=$(cat "$run/runtime") || return 0
  kill -TERM "$runtime" 2>/dev/null || true
  for ((i = 0; i < 100; i++)); do
    kill -0 "$runtime" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL -- "-$runtime" 2>/dev/null || true
  # The engine has a process group of its own.
  while read -r engine; do
    ps -o args= -p "$engine" | grep -q DynamoDBLocal && kill -KILL "$engine"
  done < <(cat "$run/engines") || true
}

stop() {
  local status=$?
  if [ -n "${watcher:-}" ]; then
    [ "$status" -eq 0 ] || keep_log
    trap '' PIPE
    echo >&8 || true # rather than just closing: something the command left running may hold the pipe too
    exec 8>&-
    wait "$watcher" || true
  fi
  rm -rf "$run"
  exit "$status"
}

keep_log() {
  mkdir -p "$cache"
  [ -z "${project:-}" ] || compose logs --no-color >>"$log" 2>&1 || true
  cp "$log" "$cache/last-failure.log" && say "what LocalStack said is in $cache/last-failure.log"
}

compose() { docker compose -f "$here/docker-compose.yml" -p "$project" "$@" 8>&-; }

fail_with_log() {
  { if [ -n "${project:-}" ]; then compose logs --no-color --tail 40; else tail -n 40 "$log"; fi; } >&2 || true
  fail "$*"
}

say() { echo "localstack: $*" >&2; }
fail() { say "$*"; exit 1; }

main "$@"
