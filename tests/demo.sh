#!/bin/bash
# The demo: a small shop with its backends under load, traced for some seconds (default 10): demo.sh [SECONDS]
#
# The summary goes to standard output, everything else to standard error. All servers listen on free ports of loopback
# and keep their data in a temporary directory; whatever ends this script, ends them.
set -u

here=$(cd "$(dirname "$0")" && pwd)
nettraced=${NETTRACED:-$here/../build/nettraced}
python=/usr/bin/python3
seconds=${1:-10}
patience=60 # seconds until a server must listen
work=
pids=()

say() {
	echo "demo: $*" >&2
}

fail() {
	say "$*"
	exit 1
}

# Runs a command in the background in a process group of its own; its pid is in $started, its words in $work/NAME.log.
start() {
	local name=$1
	shift
	setsid "$@" </dev/null >"$work/$name.log" 2>&1 &
	started=$!
	pids+=("$started")
}

is_running() {
	kill -0 "$1" 2>/dev/null
}

stop() {
	local tries=100
	kill -TERM "$1" 2>/dev/null
	while is_running "$1" && [ $((tries--)) -gt 0 ]; do sleep 0.1; done
	kill -KILL -- "-$1" 2>/dev/null # and what is left of its group
	wait "$1" 2>/dev/null
}

clean_up() {
	local at
	trap '' INT TERM HUP
	# The last ones first: nettraced and the load before the shop, the shop before its backends.
	for ((at = ${#pids[@]} - 1; at >= 0; at--)); do stop "${pids[at]}"; done
	[ -n "$work" ] && rm -rf "$work"
}

free_port() {
	$python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

listens() {
	(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# start_server NAME COMMAND...: starts it with PORT replaced by a free port, which is then in $port. Between the moment
# that we found it free and the server's start another program can take it: then once more.
start_server() {
	local name=$1 try deadline
	shift
	for try in 1 2 3; do
		port=$(free_port) || fail "no free port"
		start "$name" "${@//PORT/$port}"
		deadline=$((SECONDS + patience))
		while is_running "$started" && [ $SECONDS -lt $deadline ]; do
			if listens "$port" && is_running "$started"; then return; fi
			sleep 0.05
		done
		stop "$started"
		say "$name did not start (try $try): $(tail -n 3 "$work/$name.log")"
	done
	fail "$name does not start"
}

start_backends() {
	start_server redis redis-server --bind 127.0.0.1 --port PORT --save '' --appendonly no --dir "$work"
	export SHOP_REDIS_PORT=$port
	start_server memcached memcached -l 127.0.0.1 -p PORT -U 0 -u nobody
	export SHOP_MEMCACHE_PORT=$port
	start_server stock sh -c "exec $python $here/apps/stock_service.py PORT <>'$work/open'"
	export SHOP_STOCK_PORT=$port
	$python -m shop.seed >&2 || fail "the shop's backends cannot be filled"
}

start_load() {
	local deadline=$((SECONDS + patience))
	start load sh -c "exec $python $here/load.py $1 4 <>'$work/open'"
	until grep -qs serving "$work/load.log"; do
		if ! is_running "$started" || [ $SECONDS -ge $deadline ]; then
			fail "the shop does not serve: $(tail -n 3 "$work/load.log" "$work/shop.log")"
		fi
		sleep 0.05
	done
}

main() {
	[ -x "$nettraced" ] || fail "there is no $nettraced: run make first"
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	work=$(mktemp -d) || exit 1
	chmod 711 "$work"
	mkfifo "$work/open" || exit 1 # an input that never ends
	export PYTHONPATH=$here/apps PYTHONDONTWRITEBYTECODE=1

	say "starting redis, memcached, the stock service and the shop"
	start_backends
	start_server shop env "GUNICORN_CMD_ARGS=--bind 127.0.0.1:PORT --chdir $work" gunicorn -w 2 shop.wsgi:app
	local master=$started
	start_load "$port"

	say "nettraced --pid $master -d $seconds"
	setsid "$nettraced" --pid "$master" -d "$seconds" -i 0 </dev/null &
	local tracer=$!
	pids+=("$tracer")
	wait "$tracer"
}

main
