# shellcheck shell=bash
# Sourced by run: section "queue". Uses: $bin, $state, $rounds, $call_ms, $waiting_messages,
# ${on_core[@]}.

# Each with the way in which it keeps messages; the synced ones lose nothing when the power goes.
queue_sides=(restpipe-synced beanstalkd-synced redis-list-synced redis-stream-synced
  restpipe-memory beanstalkd-memory beanstalkd-50ms)

measure_queue() {
  local side connections
  declare -A port
  # What is synced has to reach a disk, which /dev/shm is not.
  local disk
  mkdir -p build
  disk=$(mktemp -d "$PWD/build/queue.XXXXXX")
  start_queues
  printf '\nMessage queues: put, take and acknowledge over one connection after another word\n'
  for connections in 1 16 64; do
    say "Queues, $connections connections, 100-byte messages"
    measure_cycles "$connections" 100
    show_cycles "$connections-100"
  done
  say 'Queues, 16 connections, 10 KiB messages'
  measure_cycles 16 10240
  show_cycles 16-10240
  measure_waiting
  stop_processes
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
