# shellcheck shell=bash
# Sourced by run: section "mixed". Uses: $bin, $state, $rounds, $call_ms, ${on_core[@]}.

measure_mixed() {
  local round streams port
  start mixed "${on_core[@]}" "$bin/tools/bench/bench_mixed" serve --identity "$state/identity"
  port=$(await_output mixed 'port=([0-9]+)')
  printf '\nOne small call after the other through a pipe that carries bulk replies as well\n'
  say 'Small calls, alone and beside ten bulk replies'
  for ((round = 0; round < rounds; ++round)); do
    for streams in 0 10; do
      record "mixed-$streams" "$("${on_core[@]}" "$bin/tools/bench/bench_mixed" load \
        --identity "$state/identity" --port "$port" --in-flight $((streams + 1)) --ms "$call_ms")"
    done
  done
  for streams in 0 10; do show_side "mixed-$streams" calls_per_s; done
  show_figure mixed-10 bulk_mib_per_s 'MiB/s beside them'
  show_goal 'mixed: p99 beside ten bulk replies against alone' \
    "$(median_ratio mixed-10 mixed-0 p99_us)" '<=' 3
  show_goal 'mixed: slowest heartbeat of any round, ms' \
    "$(values mixed-10 heartbeat_worst_ms | sort -g | tail -n 1)" '<=' 100
  stop_processes
}
