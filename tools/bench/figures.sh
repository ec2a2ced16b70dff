# shellcheck shell=bash
# Sourced by run: figures are collected as lines of name=value and compared by their medians.
# Uses: $state.

# record KEY LINE: one round's figures of one side.
record() { printf '%s\n' "$2" >>"$state/figures.$1"; }

# median KEY NAME: of that figure over all rounds.
median() {
  sed -nE "s/.*\\b$2=([0-9.]+).*/\\1/p" "$state/figures.$1" | sort -g |
    awk '{v[NR] = $1} END {if (NR == 0) exit 1; print v[int((NR + 1) / 2)]}'
}

# show_side KEY RATE_NAME: the medians of one side as a line.
show_side() {
  printf '  %-24s %10.0f /s   p50 %8.1f us   p99 %8.1f us\n' "$1" \
    "$(median "$1" "$2")" "$(median "$1" p50_us)" "$(median "$1" p99_us)"
}

# show_ratio TEXT NUMERATOR DENOMINATOR BOUND TARGET: BOUND is >= or <=; an empty TARGET sets none.
show_ratio() {
  awk -v text="$1" -v a="$2" -v b="$3" -v bound="$4" -v target="${5:-}" 'BEGIN {
    ratio = a / b
    printf "  %-56s %6.2f", text, ratio
    if (target != "") {
      good = bound == ">=" ? ratio >= target : ratio <= target
      printf "   %s %s %s", bound, target, good ? "reached" : "NOT REACHED"
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
