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

# median_ratio KEY_A KEY_B NAME: of A's figure to B's in the same round, so that a machine that
# changes its pace between rounds changes both.
median_ratio() {
  paste <(values "$1" "$3") <(values "$2" "$3") | awk '$2 > 0 {print $1 / $2}' | middle
}

# show_goal TEXT VALUE BOUND GOAL: BOUND is >= or <=; an empty GOAL sets none.
show_goal() {
  awk -v text="$1" -v value="$2" -v bound="$3" -v goal="${4:-}" 'BEGIN {
    printf "  %-56s %6.2f", text, value
    if (goal != "") {
      good = bound == ">=" ? value >= goal : value <= goal
      printf "   %s %s %s", bound, goal, good ? "reached" : "NOT REACHED"
    }
    printf "\n"
  }'
}

describe_machine() {
  printf 'Machine: %s, %s cores, Linux %s, %s\n' \
    "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(uname -r)" \
    "$(. /etc/os-release && echo "$PRETTY_NAME")"
  printf 'Load before the first round: %s (above 0.5 something else is running)\n' \
    "$(cut -d ' ' -f 1 /proc/loadavg)"
}
