# shellcheck shell=bash
# Sourced by run: section "rest". Uses: $bin, $state, $rounds, $wrk_seconds, ${on_core[@]}.

rest_sides=(nodes nginx haproxy)
declare -A chain=([nodes]='client server' [nginx]='nginx-edge nginx-far nginx-hello'
  [haproxy]='haproxy-edge haproxy-far nginx-hello' [hello]=nginx-hello)  # its processes

measure_rest() {
  local connections round side
  declare -A url
  start_nodes
  start_chains
  printf '\nHTTP over mutual TLS 1.3: GET with a small JSON answer, wrk with one thread\n'
  for side in "${rest_sides[@]}"; do wrk_round "$side" 64 >/dev/null; done
  for connections in 1 64 256; do
    say "HTTP, $connections connections"
    for ((round = 0; round < rounds; ++round)); do
      for side in "${rest_sides[@]}" hello; do
        record "$side-$connections" "$(wrk_round "$side" "$connections")"
      done
    done
    show_rest "$connections"
  done
  stop_processes
}

# Both nodes with the handlers that are loaded by default: sets ${url[nodes]}.
start_nodes() {
  local pipe_port rest
  start_server_node
  start_client_node
  url[nodes]=http://$rest/server/time
  await_answer "${url[nodes]}"
}

# Two chains of a proxy, mutual TLS 1.3 and another proxy, each its own process, with one and the
# same program behind them: sets ${url[nginx]} and ${url[haproxy]}, and with ${url[hello]} that
# program itself, which shows what wrk leaves of two cores.
start_chains() {
  local edge far hello user=
  hello=$(free_port)
  ((EUID != 0)) || user='user root;'  # the keys are readable by their owner only
  edge=$(free_port) far=$(free_port)
  for name in hello far edge; do start_nginx "$name"; done
  url[nginx]=http://127.0.0.1:$edge/server/time
  url[hello]=http://127.0.0.1:$hello/

  edge=$(free_port) far=$(free_port)
  for name in far edge; do start_haproxy "$name"; done
  url[haproxy]=http://127.0.0.1:$edge/server/time
  await_answer "${url[nginx]}"
  await_answer "${url[haproxy]}"
}

# fill_in FILE FOLDER: a configuration with the places of this run.
fill_in() {
  sed -e "s|@EDGE_PORT@|$edge|; s|@FAR_PORT@|$far|; s|@HELLO_PORT@|$hello|" \
    -e "s|@IDENTITY@|$state/identity|; s|@STATE@|$2|; s|@USER@|$user|" "$1"
}

start_nginx() {
  local folder=$state/nginx-$1
  mkdir -p "$folder"
  fill_in "tools/bench/nginx/$1.conf" "$folder" >"$folder/nginx.conf"
  start "nginx-$1" "${on_core[@]}" nginx -p "$folder" -c "$folder/nginx.conf" -e stderr -g 'daemon off;'
}

# haproxy takes a certificate and its key from one file.
start_haproxy() {
  local folder=$state/haproxy-$1 role
  mkdir -p "$folder"
  for role in server client; do
    (umask 077 && cat "$state/identity/restpipe.$role".{crt,key}.pem >"$folder/$role.pem")
  done
  fill_in "tools/bench/haproxy/$1.cfg" "$folder" >"$folder/haproxy.cfg"
  start "haproxy-$1" "${on_core[@]}" haproxy -db -f "$folder/haproxy.cfg"
}

# wrk_round SIDE CONNECTIONS: one line of figures; an answer that is not 2xx ends everything.
wrk_round() {
  local line ticks
  # shellcheck disable=SC2086  # names without spaces
  ticks=$(processor_ticks ${chain[$1]})
  line=$("${on_core[@]}" wrk -t 1 -c "$2" -d "${wrk_seconds}s" -s tools/bench/report.lua \
    "${url[$1]}" | grep -E '^requests_per_s=') || die "wrk gave no figures for ${url[$1]}"
  [[ $line == *errors=0 ]] || die "$1 with $2 connections: $line"
  # shellcheck disable=SC2086
  ticks=$(($(processor_ticks ${chain[$1]}) - ticks))
  [[ $line =~ requests=([0-9]+) ]] || die "wrk did not count: $line"
  # A tick more, lest there be none.
  echo "$line per_processor_s=$((BASH_REMATCH[1] * $(getconf CLK_TCK) / (ticks + 1)))"
}

# show_rest CONNECTIONS
show_rest() {
  local side to_nginx='' to_haproxy=''
  for side in "${rest_sides[@]}" hello; do
    show_side "$side-$1" requests_per_s
    show_figure "$side-$1" per_processor_s "for each second of processor time, without wrk's"
  done
  if (($1 >= 64)); then to_nginx=2.5 to_haproxy=2; fi
  show_rest_goal "$1" requests_per_s 'requests/s' nginx "$to_nginx"
  show_rest_goal "$1" requests_per_s 'requests/s' haproxy "$to_haproxy"
  show_rest_goal "$1" per_processor_s 'requests/processor s' nginx
  show_rest_goal "$1" per_processor_s 'requests/processor s' haproxy
  if (($1 == 1)); then
    show_goal 'rest_1: p50 of the nodes against two nginx' \
      "$(median_ratio nodes-1 nginx-1 p50_us)" '<=' 0.8
  fi
}

# show_rest_goal CONNECTIONS NAME UNIT SIDE [GOAL]
show_rest_goal() {
  show_goal "rest_$1: $3 of the nodes against two $4" "$(median_ratio "nodes-$1" "$4-$1" "$2")" \
    '>=' "${5:-}"
}
