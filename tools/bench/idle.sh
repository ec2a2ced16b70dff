# shellcheck shell=bash
# Sourced by run: section "idle". Uses: $bin, $state, ${pipe_counts[@]}, ${pids[server]}.

measure_idle() {
  local pipe_port count server empty_kb
  declare -A crowd
  allow_files $((pipe_counts[-1] + 200))
  printf '\nResident memory of a server node per idle pipe\n'
  for count in "${pipe_counts[@]}"; do
    start_server_node
    server=${pids[server]}
    empty_kb=$(resident_kb "$server")
    # A few at once: a storm's memory is not that of idle pipes.
    start_crowd "$count" --dials-max 32
    await_crowd 1
    sleep 2  # both ends acknowledge, and the server frees what the last handshakes needed
    show_goal "idle_$count: KB per pipe" "$(per_pipe_kb "$server" "$empty_kb" "$count")" '<=' 34
    stop_processes
  done
}
