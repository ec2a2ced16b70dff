# shellcheck shell=bash
# Sourced by run: section "rest". Uses: $bin, $state, $rounds, $wrk_seconds, ${on_core[@]}.

measure_rest() {
  local connections round
  start_nodes
  start_chain
  printf '\nHTTP over mutual TLS 1.3: GET with a small JSON answer, wrk with one thread\n'
  wrk_round nodes 64 "$node_url" >/dev/null
  wrk_round chain 64 "$chain_url" >/dev/null
  for connections in 1 64 256; do
    say "HTTP, $connections connections"
    for ((round = 0; round < rounds; ++round)); do
      record "nodes-$connections" "$(wrk_round nodes "$connections" "$node_url")"
      record "chain-$connections" "$(wrk_round chain "$connections" "$chain_url")"
    done
    show_rest "$connections"
  done
  stop_processes
}

# Both nodes with the handlers that are loaded by default: sets $node_url.
start_nodes() {
  local pipe_port rest
  start_server_node
  start client "${on_core[@]}" "$bin/restpipe" client --identity "$state/identity" \
    --server "localhost:$pipe_port" --rest 127.0.0.1:0
  rest=$(await_output client ' rest=([^ ,]+)')
  await_answer "http://$rest/readyz"
  node_url=http://$rest/server/time
  await_answer "$node_url"
}

# nginx -> mutual TLS 1.3 -> nginx -> hello, each its own process: sets $chain_url.
start_chain() {
  local edge far hello name user=
  edge=$(free_port) far=$(free_port) hello=$(free_port)
  ((EUID != 0)) || user='user root;'  # the keys are readable by their owner only
  for name in edge far hello; do
    mkdir -p "$state/nginx-$name"
    sed -e "s|@EDGE_PORT@|$edge|; s|@FAR_PORT@|$far|; s|@HELLO_PORT@|$hello|" \
      -e "s|@IDENTITY@|$state/identity|; s|@STATE@|$state/nginx-$name|; s|@USER@|$user|" \
      "tools/bench/nginx/$name.conf" >"$state/nginx-$name/nginx.conf"
    start "nginx-$name" "${on_core[@]}" nginx -p "$state/nginx-$name" -c "$state/nginx-$name/nginx.conf" \
      -e stderr -g 'daemon off;'
  done
  chain_url=http://127.0.0.1:$edge/server/time
  await_answer "$chain_url"
}

# wrk_round SIDE CONNECTIONS URL: one line of figures; an answer that is not 2xx ends everything.
wrk_round() {
  local line
  line=$("${on_core[@]}" wrk -t 1 -c "$2" -d "${wrk_seconds}s" -s tools/bench/report.lua "$3" |
    grep -E '^requests_per_s=') || die "wrk gave no figures for $3"
  [[ $line == *errors=0 ]] || die "$1 with $2 connections: $line"
  echo "$line"
}

# show_rest CONNECTIONS
show_rest() {
  local target=''
  show_side "nodes-$1" requests_per_s
  show_side "chain-$1" requests_per_s
  if (($1 == 64)); then target=1.8; fi
  show_goal "rest_$1: requests/s of the nodes against two nginx" \
    "$(median_ratio "nodes-$1" "chain-$1" requests_per_s)" '>=' "$target"
  if (($1 == 1)); then
    show_goal 'rest_1: p50 of the nodes against two nginx' \
      "$(median_ratio nodes-1 chain-1 p50_us)" '<=' 1.0
  fi
}
