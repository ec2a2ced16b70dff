# shellcheck shell=bash
# Sourced by run: identities, and programs that stay up until the end.
# Uses: $bin, $state, ${on_core[@]}.

declare -A pids=()  # by name

# start NAME COMMAND...: in the background; its output goes to $state/NAME.out and NAME.log.
start() {
  local name=$1
  shift
  : >"$state/$name.out"
  "$@" >"$state/$name.out" 2>"$state/$name.log" &
  pids[$name]=$!
}

# stop NAME [SIGNAL]: returns when it has ended.
stop() {
  kill "-${2:-TERM}" "${pids[$1]}" 2>/dev/null || true
  wait "${pids[$1]}" 2>/dev/null || true
  unset "pids[$1]"
}

stop_processes() {
  local name
  for name in "${!pids[@]}"; do kill -TERM "${pids[$name]}" 2>/dev/null || true; done
  for name in "${!pids[@]}"; do stop "$name"; done
}

# processor_ticks NAME...: that these and their children have used; so many to the second: getconf
# CLK_TCK.
processor_ticks() {
  local name pid
  for name in "$@"; do
    for pid in "${pids[$name]}" $(pgrep -P "${pids[$name]}"); do cat "/proc/$pid/stat"; done
  done | awk '{ticks += $14 + $15} END {print ticks}'
}

# await_output NAME PATTERN [SECONDS]: prints the first group of the first line that matches.
await_output() {
  local waited
  for ((waited = 0; waited < ${3:-15} * 10; ++waited)); do
    if [[ $(cat "$state/$1.out") =~ $2 ]]; then
      echo "${BASH_REMATCH[1]}"
      return
    fi
    sleep 0.1
  done
  cat "$state/$1.log" >&2
  die "$1 did not say what was awaited; its output is above"
}

# await_answer URL: until it answers 200.
await_answer() {
  local waited
  for ((waited = 0; waited < 150; ++waited)); do
    ! curl -fsS --max-time 2 -o /dev/null "$1" 2>/dev/null || return 0
    sleep 0.1
  done
  cat "$state"/*.log >&2
  die "$1 does not answer; all logs are above"
}

# free_port: one that nobody listens on.
free_port() {
  local port
  while true; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

# One CA, and in $state/identity the files of a server "localhost" and of a client.
make_identities() {
  "$bin/restpipe" identity ca --dir "$state/ca" --name "benchmark CA" >/dev/null
  "$bin/restpipe" identity server localhost --ca "$state/ca" --out "$state/identity" >/dev/null
  "$bin/restpipe" identity client workshop --ca "$state/ca" --out "$state/identity" >/dev/null
}

# start_server_node [FLAG...]: sets $pipe_port.
start_server_node() {
  start server "${on_core[@]}" "$bin/restpipe" server --identity "$state/identity" \
    --listen 127.0.0.1:0 --rest 127.0.0.1:0 "$@"
  pipe_port=$(await_output server ' pipe=[^ ]*:([0-9]+)')
}

# start_client_node: joined to that server; sets $rest, the address of its front-end.
start_client_node() {
  start client "${on_core[@]}" "$bin/restpipe" client --identity "$state/identity" \
    --server "localhost:$pipe_port" --rest 127.0.0.1:0
  rest=$(await_output client ' rest=([^ ,]+)')
  await_answer "http://$rest/readyz"
}
