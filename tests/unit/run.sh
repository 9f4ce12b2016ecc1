#!/bin/sh
# run.sh: runs the unit test binaries that it is given and counts what they report.
#
# usage: run.sh BINARY...
#
# A line a suite, the output of those that failed, and the totals. A binary that crashes, stops before its last
# test or reports no test at all has failed. Status 0: all passed or were skipped.

export CMOCKA_MESSAGE_OUTPUT=TAP
output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT
all_passed=0 all_failed=0 all_skipped=0

# Reads a suite's TAP; prints "passed failed skipped", with tests that were announced and never reported as failed.
count() {
	awk -v status="$1" '
		/^1\.\.[0-9]+/ { planned += substr($1, 4) }
		/^ok [0-9]/ { passed++ }
		/^not ok [0-9]+ # SKIP/ { skipped++; next }
		/^not ok [0-9]/ { failed++ }
		END {
			missing = planned - passed - failed - skipped
			if (missing > 0)
				failed += missing
			if (!failed && (status || !planned))
				failed = 1
			print passed + 0, failed + 0, skipped + 0
		}' "$output"
}

for binary in "$@"; do
	"$binary" >"$output" 2>&1
	status=$?
	# shellcheck disable=SC2046 # three words
	set -- $(count "$status")
	all_passed=$((all_passed + $1)) all_failed=$((all_failed + $2)) all_skipped=$((all_skipped + $3))
	printf '%-24s %s passed, %s failed, %s skipped\n' "$(basename "$binary")" "$1" "$2" "$3"
	grep '# SKIP' "$output" | sed 's/^.*# SKIP/    skipped:/'
	if [ "$2" -gt 0 ]; then
		sed 's/^/    /' "$output"
		printf '    exit status %s\n' "$status"
	fi
done

echo "unit: $all_passed passed, $all_failed failed, $all_skipped skipped"
[ "$all_failed" -eq 0 ] && [ "$all_passed" -gt 0 ]
