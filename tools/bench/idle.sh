# shellcheck shell=bash
# Sourced by run: section "idle". Uses: $bin, $state, ${pipe_counts[@]}, ${pids[@]}.

measure_idle() {
  local pipe_port count last=${pipe_counts[-1]}
  # Sockets of the nodes, and what else a process has open.
  ulimit -n "$(ulimit -H -n)"
  (($(ulimit -n) > last + 200)) ||
    die "only $(ulimit -n) open files are allowed; idle needs $((last + 200))"
  start_server_node
  printf '\nResident memory of a server node per idle pipe\n'
  say "Opening $last pipes, each with an identity of its own"
  "$bin/tools/bench/bench_idle" --ca "$state/ca" --scratch "$state/idle-identity" \
    --port "$pipe_port" --server-pid "${pids[-1]}" "${pipe_counts[@]}" >"$state/figures.idle"
  for count in "${pipe_counts[@]}"; do
    show_goal "idle_$count: KB per pipe" \
      "$(sed -nE "s/^pipes=$count kb_per_pipe=//p" "$state/figures.idle")" '<=' 34
  done
  stop_processes
}
