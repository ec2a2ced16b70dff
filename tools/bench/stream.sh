# shellcheck shell=bash
# Sourced by run: section "stream". Uses: $bin, $state, $rounds, $call_ms, $transfer_mib,
# ${on_core[@]}.

measure_stream() {
  local side direction round
  declare -A port
  for side in raw pipe; do
    start "bulk-$side" "${on_core[@]}" "$bin/tools/bench/bench_${side}_bulk" serve \
      --identity "$state/identity"
    port[$side]=$(await_output "bulk-$side" 'port=([0-9]+)')
  done
  printf '\nOne bulk transfer through one connection over mutual TLS 1.3\n'
  for direction in down up; do
    say "Bulk transfer, $direction"
    for ((round = 0; round < rounds; ++round)); do
      for side in raw pipe; do
        record "$side-$direction" "$("${on_core[@]}" "$bin/tools/bench/bench_${side}_bulk" load \
          --identity "$state/identity" --port "${port[$side]}" \
          --direction "$direction" --ms "$call_ms")"
      done
    done
    show_stream "$direction"
  done
  stop_processes
  measure_transfers
}

# show_stream DIRECTION
show_stream() {
  local side
  for side in raw pipe; do show_figure "$side-$1" mib_per_s 'MiB/s'; done
  show_goal "stream_$1: MiB/s of the pipe against raw TLS" \
    "$(median_ratio "pipe-$1" "raw-$1" mib_per_s)" '>=' 0.85
}

# The same from HTTP to HTTP, between curl and a handler of the server node: a file that it reads,
# and a program that drops its input.
measure_transfers() {
  local pipe_port rest round
  mkdir -p "$state/files" "$state/methods"
  truncate -s "${transfer_mib}M" "$state/files/bulk"
  printf '#!/bin/sh\nexec cat >/dev/null\n' >"$state/methods/put_bulk"
  chmod 755 "$state/methods/put_bulk"
  start_server_node --files "files=$state/files" --exec "$state/methods"
  start_client_node
  say "Bulk transfer from HTTP to HTTP"
  for ((round = 0; round < rounds; ++round)); do
    record http-down "$(transfer download -o /dev/null "http://$rest/server/files//bulk")"
    record http-up "$(transfer upload -T "$state/files/bulk" "http://$rest/server/bulk")"
  done
  show_figure http-down mib_per_s 'MiB/s'
  show_figure http-up mib_per_s 'MiB/s'
  stop_processes
}

# transfer download|upload CURL-ARGUMENT...
transfer() {
  local speed=$1
  shift
  "${on_core[@]}" curl -sS --fail -w "%{stderr}%{speed_$speed}" "$@" 2>&1 >/dev/null |
    awk '{printf "mib_per_s=%.1f\n", $1 / 1048576}'
}
