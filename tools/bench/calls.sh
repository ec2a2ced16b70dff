# shellcheck shell=bash
# Sourced by run: section "calls". Uses: $bin, $state, $rounds, $call_ms, ${on_core[@]}.

call_sides=(raw pipe grpc nats)

measure_calls() {
  local side round in_flight broker_port
  declare -A port
  start_nats_server
  for side in "${call_sides[@]}"; do
    port[$side]=0
    [[ $side != nats ]] || port[$side]=$broker_port
    start "echo-$side" "${on_core[@]}" "$bin/tools/bench/bench_$side" serve \
      --identity "$state/identity" --port "${port[$side]}"
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

# start_nats_server: sets $broker_port.
start_nats_server() {
  sed "s|@IDENTITY@|$state/identity|" tools/bench/nats-server.conf >"$state/nats-server.conf"
  start nats-server "${on_core[@]}" nats-server --config "$state/nats-server.conf" \
    --log "$state/nats-server.out"
  broker_port=$(await_output nats-server 'client connections on 127.0.0.1:([0-9]+)')
}

# show_calls IN_FLIGHT
show_calls() {
  local side to_raw='' to_grpc='' to_nats=''
  for side in "${call_sides[@]}"; do show_side "$side-$1" calls_per_s; done
  if (($1 == 64)); then to_raw=0.60 to_grpc=6 to_nats=10; fi
  show_goal "calls_$1: calls/s of the pipe against raw TLS" \
    "$(median_ratio "pipe-$1" "raw-$1" calls_per_s)" '>=' "$to_raw"
  show_goal "calls_$1: calls/s of the pipe against gRPC" \
    "$(median_ratio "pipe-$1" "grpc-$1" calls_per_s)" '>=' "$to_grpc"
  show_goal "calls_$1: calls/s of the pipe against NATS" \
    "$(median_ratio "pipe-$1" "nats-$1" calls_per_s)" '>=' "$to_nats"
  if (($1 == 1)); then
    show_goal 'calls_1: p50 of the pipe against raw TLS' \
      "$(median_ratio pipe-1 raw-1 p50_us)" '<=' 1.1
  fi
}
