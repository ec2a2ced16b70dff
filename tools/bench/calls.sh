# shellcheck shell=bash
# Sourced by run: section "calls". Uses: $bin, $state, $rounds, $call_ms, ${on_core[@]}.

call_sides=(raw pipe grpc)

measure_calls() {
  local side round in_flight
  declare -A port
  for side in "${call_sides[@]}"; do
    start "echo-$side" "${on_core[@]}" "$bin/tools/bench/bench_$side" serve --identity "$state/identity"
    port[$side]=$(await_output "echo-$side" 'port=([0-9]+)')
  done

  printf '\nCalls over mutual TLS 1.3, 100-byte request and reply, one connection\n'
  for in_flight in 1 64 1024; do
    say "Calls, $in_flight in flight"
    for ((round = 0; round < rounds; ++round)); do
      for side in "${call_sides[@]}"; do
        record "$side-$in_flight" "$("${on_core[@]}" "$bin/tools/bench/bench_$side" load \
          --identity "$state/identity" --port "${port[$side]}" \
          --in-flight "$in_flight" --ms "$call_ms")"
      done
    done
    show_calls "$in_flight"
  done
  stop_processes
}

# show_calls IN_FLIGHT
show_calls() {
  local side target_raw='' target_grpc=''
  for side in "${call_sides[@]}"; do show_side "$side-$1" calls_per_s; done
  if (($1 == 64)); then target_raw=0.40 target_grpc=4; fi
  show_goal "calls_$1: calls/s of the pipe against raw TLS" \
    "$(median_ratio "pipe-$1" "raw-$1" calls_per_s)" '>=' "$target_raw"
  show_goal "calls_$1: calls/s of the pipe against gRPC" \
    "$(median_ratio "pipe-$1" "grpc-$1" calls_per_s)" '>=' "$target_grpc"
  if (($1 == 1)); then
    show_goal 'calls_1: p50 of the pipe against raw TLS' \
      "$(median_ratio pipe-1 raw-1 p50_us)" '<=' 1.2
  fi
}
