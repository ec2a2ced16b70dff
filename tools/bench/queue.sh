# shellcheck shell=bash
# Sourced by run: section "queue". Uses: $bin, $state, $rounds, $call_ms, $messages_to_take,
# $waiting_messages, $engine_messages, $engine_cycles, ${on_core[@]}.

# Each with the way in which it keeps messages; the synced ones lose nothing when the power goes.
queue_sides=(restpipe-synced beanstalkd-synced redis-list-synced redis-stream-synced
  restpipe-memory beanstalkd-memory beanstalkd-50ms)

# Linger 1.0.1 on Tornado 6.2 with its SQLite file: 855 requests/s in cycles of three over eight
# connections, on two cores of a virtual machine. It takes no part in the run: its cost grows with
# what waits, and nobody installs it any more.
linger_cycles_per_s=285

measure_queue() {
  local side connections
  declare -A port
  # What is synced has to reach a disk, which /dev/shm is not.
  local disk
  mkdir -p build
  disk=$(mktemp -d "$PWD/build/queue.XXXXXX")
  start_queues
  printf '\nMessage queues over their own protocols; a cycle is a put, a take and its acknowledgement\n'
  for connections in 1 16 64; do
    say "Queues, $connections connections, 100-byte messages"
    measure_cycles "$connections" 100
    show_cycles "$connections-100"
  done
  say 'Queues, 16 connections, 10 KiB messages'
  measure_cycles 16 10240
  show_cycles 16-10240
  measure_words puts
  measure_words takes
  measure_waiting
  stop_processes
  measure_engine
  rm -rf "$disk"
}

# Sets ${port[SIDE]} of each.
start_queues() {
  start restpipe-memory "${on_core[@]}" "$bin/restpipe" server --identity "$state/identity" \
    --listen 127.0.0.1:0 --rest 127.0.0.1:0
  port[restpipe-memory]=$(await_output restpipe-memory ' rest=127\.0\.0\.1:([0-9]+)')
  start restpipe-synced "${on_core[@]}" "$bin/restpipe" server --identity "$state/identity" \
    --listen 127.0.0.1:0 --rest 127.0.0.1:0 --data "$disk/restpipe"
  port[restpipe-synced]=$(await_output restpipe-synced ' rest=127\.0\.0\.1:([0-9]+)')
  start_beanstalkd beanstalkd-memory
  start_beanstalkd beanstalkd-synced -f 0
  start_beanstalkd beanstalkd-50ms -f 50
  start_redis redis-list-synced
  start_redis redis-stream-synced
  redis-cli -p "${port[redis-stream-synced]}" xgroup create bench g '$' mkstream >/dev/null
}

# start_beanstalkd NAME [-f MS]: with a log on disk when -f says how often it is synced.
start_beanstalkd() {
  local name=$1 log=()
  shift
  port[$name]=$(free_port)
  if (($# > 0)); then
    mkdir -p "$disk/$name"
    log=(-b "$disk/$name" "$@")
  fi
  start "$name" "${on_core[@]}" beanstalkd -l 127.0.0.1 -p "${port[$name]}" -z 1000000 "${log[@]}"
  await_port "${port[$name]}"
}

start_redis() {
  port[$1]=$(free_port)
  mkdir -p "$disk/$1"
  start "$1" "${on_core[@]}" redis-server --bind 127.0.0.1 --port "${port[$1]}" --dir "$disk/$1" \
    --save '' --appendonly yes --appendfsync always
  await_port "${port[$1]}"
}

# await_port PORT: until something listens there.
await_port() {
  local waited
  for ((waited = 0; waited < 100; ++waited)); do
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null || return 0
    sleep 0.1
  done
  die "nothing listens on port $1"
}

# queue_load SIDE FLAG...: the side's name without its way of keeping is its protocol.
queue_load() {
  local side=$1
  shift
  "${on_core[@]}" "$bin/tools/bench/bench_broker" --broker "${side%-*}" --port "${port[$side]}" "$@"
}

# measure_cycles CONNECTIONS BODY_BYTES
measure_cycles() {
  local round side
  for ((round = 0; round < rounds; ++round)); do
    for side in "${queue_sides[@]}"; do
      record "$side-$1-$2" \
        "$(queue_load "$side" --connections "$1" --body "$2" --ms "$call_ms")"
    done
  done
}

# show_cycles CONNECTIONS-BODY_BYTES
show_cycles() {
  local side goal=''
  for side in "${queue_sides[@]}"; do show_side "$side-$1" calls_per_s; done
  if [[ $1 == 16-100 ]]; then goal=1.3; fi
  show_goal "queue_$1: synced cycles/s against beanstalkd's" \
    "$(median_ratio "restpipe-synced-$1" "beanstalkd-synced-$1" calls_per_s)" '>=' "$goal"
  show_goal "queue_$1: cycles/s in memory against beanstalkd's" \
    "$(median_ratio "restpipe-memory-$1" "beanstalkd-memory-$1" calls_per_s)" '>='
  [[ $1 == 16-100 ]] || return 0
  show_goal "queue_$1: synced cycles/s against Linger's with a file" \
    "$(awk -v ours="$(median restpipe-synced-16-100 calls_per_s)" -v linger="$linger_cycles_per_s" \
      'BEGIN {print ours / linger}')" '>=' 10
}

# measure_words puts|takes: one half of the cycle. What is taken has been put before, unmeasured;
# it is more than can be taken meanwhile.
measure_words() {
  local round side
  say "Queues, 16 connections, $1 alone"
  for ((round = 0; round < rounds; ++round)); do
    for side in "${queue_sides[@]}"; do
      if [[ $1 == takes ]]; then queue_load "$side" --connections 64 --fill "$messages_to_take"; fi
      record "$side-$1" "$(queue_load "$side" --connections 16 --words "$1" --ms $((call_ms / 4)))"
    done
  done
  for side in "${queue_sides[@]}"; do show_side "$side-$1" calls_per_s; done
}

# Takes from a long queue, and from a short one.
measure_waiting() {
  local round side
  say "Queues, 16 connections, $waiting_messages messages waiting"
  for side in restpipe-synced beanstalkd-memory; do
    queue_load "$side" --connections 64 --fill "$waiting_messages"
  done
  for ((round = 0; round < rounds; ++round)); do
    for side in restpipe-synced beanstalkd-memory; do
      record "$side-waiting" "$(queue_load "$side" --connections 16 --ms "$call_ms")"
    done
  done
  show_side restpipe-synced-waiting calls_per_s
  show_side beanstalkd-memory-waiting calls_per_s
  show_goal 'queue_waiting: p99 with many messages waiting to p99 with none' \
    "$(awk -v a="$(median restpipe-synced-waiting p99_us)" \
      -v b="$(median restpipe-synced-16-100 p99_us)" 'BEGIN {print a / b}')" '<=' 1.5
}

# The engine in a process of its own, synced: batches, and one message at a time with few and many
# waiting.
measure_engine() {
  local out=$state/engine.out
  say "The engine in a process, synced, $engine_messages messages"
  "${on_core[@]}" "$bin/tools/bench/bench_queue" --data "$disk/engine" \
    --messages "$engine_messages" --cycles "$engine_cycles" >"$out"
  sed 's/^/  /' "$out"
  show_goal 'engine: messages/s put in batches of 1000' \
    "$(engine_figure 'phase=fill .*batch=1000' messages_per_s)" '>=' 150000
  show_goal 'engine: p99 of a take with many waiting against ten' \
    "$(awk -v few="$(engine_figure 'step=take waiting=10 ' p99_us)" \
      -v many="$(engine_figure "step=take waiting=$engine_messages " p99_us)" \
      'BEGIN {print many / few}')" '<=' 1.5
  show_goal 'engine: resident MiB with all of them waiting' \
    "$(engine_figure "phase=cycles waiting=$engine_messages " rss_kib |
      awk '{print $1 / 1024}')" '<=' 300
  show_goal 'engine: seconds from a restart to ready' \
    "$(engine_figure phase=restart ready_ms | awk '{print $1 / 1000}')" '<=' 10
}

# engine_figure PATTERN NAME: from the line that fits.
engine_figure() { sed -nE "/$1/s/.*\\b$2=([0-9.]+).*/\\1/p" "$out" | tail -n 1; }
