# shellcheck shell=bash
# Sourced by the other tools: how they speak, find packages and size a build.

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
usage_error() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 2
}
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# One compiler of this code base takes up to 1.5 GB, so memory bounds the jobs as well as cores do.
build_jobs() {
  local cores memory_kb by_memory
  cores=$(nproc)
  memory_kb=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
  by_memory=$((memory_kb / 1500000))
  ((by_memory >= 1)) || by_memory=1
  ((cores <= by_memory)) && echo "$cores" || echo "$by_memory"
}

# configure_and_build PRESET [TARGET...]: shows ninja's own progress.
configure_and_build() {
  local preset=$1
  shift
  local targets=()
  (($# == 0)) || targets=(--target "$@")
  say "Configuring preset $preset"
  local output
  output=$(cmake --preset "$preset" 2>&1) || {
    printf '%s\n' "$output" >&2
    die "cmake --preset $preset failed; its output is above"
  }
  say "Building into build/$preset ($(build_jobs) jobs)"
  cmake --build --preset "$preset" --parallel "$(build_jobs)" "${targets[@]}"
}
