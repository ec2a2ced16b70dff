# shellcheck shell=bash
# Sourced by run: figures are collected as lines of name=value and compared by their medians.
# Uses: $state.

# record KEY LINE: one round's figures of one side.
record() { printf '%s\n' "$2" >>"$state/figures.$1"; }

# values KEY NAME: that figure of every round, a line each.
values() { sed -nE "s/.*\\b$2=([0-9.]+).*/\\1/p" "$state/figures.$1"; }

# middle: the median of the lines; of an even number the lower one.
middle() { sort -g | awk '{v[NR] = $1} END {if (NR == 0) exit 1; print v[int((NR + 1) / 2)]}'; }

median() { values "$1" "$2" | middle; }

# show_side KEY RATE_NAME: the medians of one side as a line.
show_side() {
  printf '  %-24s %10.0f /s   p50 %8.1f us   p99 %8.1f us\n' "$1" \
    "$(median "$1" "$2")" "$(median "$1" p50_us)" "$(median "$1" p99_us)"
}

# show_figure KEY NAME UNIT: the median of one figure as a line.
show_figure() {
  printf '  %-24s %10.0f %s\n' "$1" "$(median "$1" "$2")" "$3"
}

# median_ratio KEY_A KEY_B NAME: of A's figure to B's in the same round, so that a machine that
# changes its pace between rounds changes both.
median_ratio() {
  paste <(values "$1" "$3") <(values "$2" "$3") | awk '$2 > 0 {print $1 / $2}' | middle
}

# show_goal TEXT VALUE BOUND GOAL: BOUND is >= or <=; an empty GOAL sets none.
show_goal() {
  local text=$1 value=$2 bound=$3 goal=${4:-} verdict=''
  if [[ -n $goal ]]; then
    verdict="goal $bound $goal: reached"
    ((++goals))
    if ! awk -v v="$value" -v g="$goal" -v b="$bound" 'BEGIN {exit !(b == ">=" ? v >= g : v <= g)}'; then
      verdict="goal $bound $goal: MISSED"
      missed+=("$text")
    fi
  fi
  printf '  %-56s %9.3f%s\n' "$text" "$value" "${verdict:+   $verdict}"
}

goals=0
missed=()  # the texts of those that were not reached

show_verdict() {
  local text
  printf '\n%s of %s goals missed\n' "${#missed[@]}" "$goals"
  for text in "${missed[@]}"; do printf '  %s\n' "$text"; done
}

describe_machine() {
  printf 'Machine: %s, %s cores, Linux %s, %s\n' \
    "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(uname -r)" \
    "$(. /etc/os-release && echo "$PRETTY_NAME")"
  printf 'Load before the first round: %s (above 0.5 something else is running)\n' \
    "$(cut -d ' ' -f 1 /proc/loadavg)"
}
