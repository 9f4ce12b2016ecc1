#!/bin/bash
# run.sh [--suite SUITE]... [NAME...]: the end-to-end cases with targets that run in the roots of other Debian suites: other
# Pythons, other file systems. nettraced, the backends and the runner are the machine's own.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

suites=()
while [ "${1:-}" = --suite ]; do
	suites+=("$2")
	shift 2
done
[ ${#suites[@]} -gt 0 ] || suites=(bullseye trixie)

passed=0 failed=0 skipped=0

# Runs the cases of one suite and counts what its lines say; a runner that ends badly without a word is a failure.
run_suite() {
	local suite=$1 root=$2 line status=0 before=$failed
	shift 2
	while IFS= read -r line; do
		case $line in
		'ok '*) passed=$((passed + 1)) && line="ok $suite/${line#ok }" ;;
		'not ok '*) failed=$((failed + 1)) && line="not ok $suite/${line#not ok }" ;;
		'skip '*) skipped=$((skipped + 1)) && line="skip $suite/${line#skip }" ;;
		'status '*) status=${line#status } && continue ;;
		esac
		echo "$line"
	done < <(
		NETTRACE_PYTHON="$here/enter.sh $root /usr/bin/python3" /usr/bin/python3 "$here/../e2e/runner.py" "$@" 2>&1
		echo "status $?"
	)
	if [ "$status" != 0 ] && [ "$failed" = "$before" ]; then
		failed=$((failed + 1))
		echo "not ok $suite/runner status $status"
	fi
}

for suite in "${suites[@]}"; do
	if root=$("$here/fetch.sh" "$suite"); then
		run_suite "$suite" "$root" "$@"
	else
		skipped=$((skipped + 1))
		echo "skip $suite/all its packages could not be had"
	fi
done
echo "suites: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
