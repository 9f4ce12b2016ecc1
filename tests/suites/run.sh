#!/bin/bash
# run.sh [--python VERSION]... [NAME...]: the end-to-end cases with targets that run in the roots of other Debian suites:
# other Pythons, other file systems. The file `pythons` lists them. nettraced, the backends and the runner are the machine's
# own.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

# What depends on the interpreter: how its frames are walked, and what is read in its code objects. The rest is about
# sockets and outputs, which the suites with `all` show to hold elsewhere too.
walk=(
	plain_script redis_pipelines deep_recursion shapes_of_functions callbacks_from_c runs_called_from_c
	runs_that_look_alike handoff_between_threads threads threads_share_a_connection blocked_in_recv forked_after_attach
	forked_before_attach programs_started_after_attach auto_never_takes_dead_probes 'usdt_*'
	lines_of_the_standard_library unknown_version free_threaded_version without_python
	pools_are_shared threads_are_started handed_over_in_forked_children plain_wsgi_under_gunicorn
	'asyncio_*' 'uvloop_*' server_found_by_itself 'pool_of_*' workers_are_reloaded where_calls_are_made replay_is_identical
	dispatchers_of_a_users_own endpoint_found_by_itself found_by_interpreter time_beside_the_network
	deleted_interpreter container_from_host
)

# What goes on for a minute does so with the machine's own Python.
export NETTRACE_DURATION=0.25

wanted=()
while [ "${1:-}" = --python ]; do
	wanted+=("$2")
	shift 2
done
[ ${#wanted[@]} -gt 0 ] || mapfile -t wanted < <(awk '!/^#/ && NF { print $1 }' "$here/pythons")

passed=0 failed=0 skipped=0

fail() {
	failed=$((failed + 1))
	echo "not ok $*"
}

# Runs cases with one interpreter and counts what the lines say; a runner that ends badly without a word is a failure.
run_cases() {
	local name=$1 python=$2 line status=0 before=$failed
	shift 2
	while IFS= read -r line; do
		case $line in
		'ok '*) passed=$((passed + 1)) && line="ok $name/${line#ok }" ;;
		'not ok '*) failed=$((failed + 1)) && line="not ok $name/${line#not ok }" ;;
		'skip '*) skipped=$((skipped + 1)) && line="skip $name/${line#skip }" ;;
		'status '*) status=${line#status } && continue ;;
		esac
		echo "$line"
	done < <(
		NETTRACE_PYTHON=$python /usr/bin/python3 "$here/../e2e/runner.py" "$@" 2>&1
		echo "status $?"
	)
	if [ "$status" != 0 ] && [ "$failed" = "$before" ]; then
		fail "$name/runner status $status"
	fi
}

# One line of the table. A root that cannot be made is a failure: else a mirror without a suite would pass for a success.
run_python() {
	local version=$1 suite path cases root
	shift
	read -r suite path cases < <(awk -v version="$version" '$1 == version { print $2, $3, $4 }' "$here/pythons") || {
		fail "$version/root tests/suites/pythons has no such version"
		return
	}
	root=$("$here/fetch.sh" "$suite") || {
		fail "$version/root that of $suite could not be made"
		return
	}
	if [ $# = 0 ] && [ "$cases" = walk ]; then
		set -- "${walk[@]}"
	fi
	run_cases "$version" "$here/enter.sh $root $path" "$@"
}

for version in "${wanted[@]}"; do
	run_python "$version" "$@"
done
echo "suites: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
