# shellcheck shell=bash
# Sourced by run: many clients of one server node, for the sections "idle" and "storm".
# Uses: $bin, $state, ${on_core[@]}.

# allow_files COUNT: open files, in this shell and in what it starts.
allow_files() {
  ulimit -n "$(ulimit -H -n)"
  (($(ulimit -n) >= $1)) ||
    die "only $(ulimit -H -n) open files are allowed, and $1 are needed: raise the hard limit (ulimit -H -n)"
}

# start_crowd PIPES FLAG...: returns when their identities are there, 2 ms each, and they dial.
start_crowd() {
  local pipes=$1
  shift
  say "Making identities for $pipes clients"
  start crowd "${on_core[@]}" "$bin/tools/bench/bench_many" --ca "$state/ca" --scratch "$state/crowd-identity" \
    --port "$pipe_port" --pipes "$pipes" "$@"
  await_output crowd 'made=([0-9]+)' 240 >/dev/null
}

# await_crowd ROUND: until all are up for the ROUNDth time; sets ${crowd[seconds]} and the others.
await_crowd() {
  local line field
  line=$(await_output crowd "round=$1 ([^"$'\n'"]+)" 180)
  for field in $line; do crowd[${field%%=*}]=${field#*=}; done
}

# resident_kb PID
resident_kb() { sed -nE 's/^VmRSS:[[:space:]]+([0-9]+) kB/\1/p' "/proc/$1/status"; }

# processor_ms PID: user and system time so far.
processor_ms() {
  awk -v tick="$(getconf CLK_TCK)" '{sub(/.*\) /, ""); print int(($12 + $13) * 1000 / tick)}' \
    "/proc/$1/stat"
}

# per_pipe_kb PID EMPTY_KB PIPES
per_pipe_kb() {
  awk -v now="$(resident_kb "$1")" -v empty="$2" -v n="$3" 'BEGIN {printf "%.1f", (now - empty) / n}'
}
