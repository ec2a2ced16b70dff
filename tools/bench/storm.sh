# shellcheck shell=bash
# Sourced by run: section "storm": thousands of clients come to one server node at once.
# Uses: $bin, $state, $storm_pipes, $quiet_seconds, ${pids[@]}, ${on_core[@]}.
#
# Meanwhile an ordinary client node calls the server 50 times a second. What each call takes, and
# what the server says of its connections, is written down with the time and looked up afterwards.

# The server is away for so long: most clients have then reached the longest of their waits.
away_seconds=5

measure_storm() {
  local pipe_port server_rest rest empty_kb from
  declare -A crowd
  allow_files $((storm_pipes + 400))
  start_storm_server 127.0.0.1:0 127.0.0.1:0
  empty_kb=$(resident_kb "${pids[server]}")
  start_client_node
  start steady "${on_core[@]}" "$bin/tools/bench/bench_steady" --port "${rest##*:}" --per-second 50
  sleep 5
  printf '\n%s clients of one server node, and one that makes 50 calls/s\n' "$storm_pipes"
  show_calls_since 'calls, before the others come' "$(before 4)"

  say 'All dial at once'
  watch_server
  start_crowd "$storm_pipes"
  from=$EPOCHREALTIME
  await_crowd 1
  show_storm 'all dial' "$from"
  measure_quiet_crowd

  say 'All their connections break at once; sessions go on'
  watch_server
  from=$EPOCHREALTIME
  kill -USR1 "${pids[crowd]}"
  await_crowd 2
  show_storm 'all break' "$from"

  say "The server is killed, and started again $away_seconds seconds later"
  restart_server
  watch_server
  from=$EPOCHREALTIME
  await_crowd 3
  show_goal 'storm: s from the start of the server until all are back' "$(since "$from")" '<=' 30
  show_storm 'all return' "$from"
  show_calls_since 'calls, since its own pipe is back' "$(caller_back "$from")"
  stop_processes
}

# start_storm_server LISTEN REST: sets $pipe_port and $server_rest. There is room for the caller's
# own client node as well.
start_storm_server() {
  start server "${on_core[@]}" "$bin/restpipe" server --identity "$state/identity" \
    --listen "$1" --rest "$2" --limits-pipes-max $((storm_pipes + 100))
  pipe_port=$(await_output server ' pipe=[^ ]*:([0-9]+)')
  server_rest=$(await_output server ' rest=([^ ,]+)')
}

restart_server() {
  local rest_before=$server_rest
  stop server KILL
  sleep "$away_seconds"
  start_storm_server "127.0.0.1:$pipe_port" "$rest_before"
}

# What pipes cost while nothing happens but heartbeats, each 5 s.
measure_quiet_crowd() {
  local before_ms
  sleep 10  # the first heartbeats are over, and the memory of the handshakes is free
  show_goal "storm: KB of server memory per idle pipe" \
    "$(per_pipe_kb "${pids[server]}" "$empty_kb" "$storm_pipes")" '<=' 34
  before_ms=$(processor_ms "${pids[server]}")
  sleep "$quiet_seconds"
  show_goal 'storm: % of a core for the heartbeats of idle pipes' \
    "$(awk -v ms=$(($(processor_ms "${pids[server]}") - before_ms)) -v s="$quiet_seconds" \
      'BEGIN {print ms / 10 / s}')" '<='
  show_calls_since 'calls, among idle pipes' "$(before "$quiet_seconds")"
}

# show_storm TEXT FROM: what has happened since.
show_storm() {
  stop watch
  printf '  %-40s all up after %5.1f s, half %5.1f, 99 in 100 %5.1f; %s resumed, %s attempts failed\n' \
    "$1" "${crowd[seconds]}" "${crowd[half_after]}" "${crowd[most_after]}" "${crowd[resumed]}" \
    "${crowd[failed]}"
  awk -v text="$1" '
    NR > 1 && $1 > at {rate = ($2 - accepted) / ($1 - at); if (rate > most) most = rate}
    {at = $1; accepted = $2; if ($3 > open) open = $3; if ($4 > evicted) evicted = $4}
    END {printf "  %-40s at most %.0f accepted/s, %d unauthenticated at once, %d of them closed\n",
                text, most, open, evicted}' "$state/watch"
  show_calls_since "$1: calls" "$2"
}

# watch_server: writes "TIME ACCEPTED UNAUTHENTICATED EVICTED" to $state/watch until it is killed.
watch_server() {
  : >"$state/watch"
  start watch watch_metrics
}

watch_metrics() {
  while true; do
    curl -sS --max-time 5 "http://$server_rest/metrics" 2>/dev/null |
      awk -v at="$EPOCHREALTIME" '{v[$1] = $2} END {
        print at, v["restpipe_pipe_connections_accepted_total"], v["restpipe_pipe_handshakes"],
          v["restpipe_pipe_handshakes_evicted_total"]}' >>"$state/watch"
    sleep 0.2
  done
}

before() { awk -v now="$EPOCHREALTIME" -v s="$1" 'BEGIN {printf "%.3f", now - s}'; }
since() { awk -v now="$EPOCHREALTIME" -v then="$1" 'BEGIN {printf "%.2f", now - then}'; }

# caller_back TIME: when the last call was answered that had been due before.
caller_back() {
  sed -nE 's/^at=([0-9.]+) us=([0-9]+) .*$/\1 \2/p' "$state/steady.out" |
    awk -v until="$1" '$1 < until && $1 + $2 / 1e6 > back {back = $1 + $2 / 1e6}
      END {if (back < until) back = until; printf "%.3f", back}'
}

# show_calls_since TEXT TIME: of the calls that were due since.
show_calls_since() {
  local figures
  figures=$(sed -nE 's/^at=([0-9.]+) us=([0-9]+) status=([0-9]+)$/\1 \2 \3/p' "$state/steady.out" |
    awk -v from="$2" '$1 >= from {print $2, $3 != 200}' | sort -n |
    awk '{us[NR] = $1; bad += $2} END {
      if (NR == 0) {print "none"; exit}
      printf "%d, p50 %.1f ms, p99 %.1f ms, worst %.1f ms, %d failed", NR, us[int((NR + 1) / 2)] / 1000,
        us[int(NR * 0.99) + (NR * 0.99 > int(NR * 0.99))] / 1000, us[NR] / 1000, bad}')
  printf '  %-40s %s\n' "$1" "$figures"
}
