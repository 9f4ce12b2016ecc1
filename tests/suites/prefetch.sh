#!/bin/bash
# prefetch.sh: makes the kernels and roots that the guests, the suites and the matrix want, in the order in which they do.
# Beside suites that need none of them, it keeps those that do from waiting: they ask for what they need themselves.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
passed=0 failed=0

get() {
	if "$@" >/dev/null; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not ok ${*##*/} could not be had"
	fi
}

mapfile -t suites < <(awk '!/^#/ && NF && !seen[$2]++ { print $2 }' "$here/pythons")
for suite in "${suites[@]}"; do
	get "$here/fetch.sh" "$suite"
done
get "$here/fetch.sh" bookworm # guests with the machine's own Python
get "$here/../vm/fetch-kernel.sh" 6.1
for suite in "${suites[@]}"; do
	get "$here/fetch.sh" "$suite+frameworks"
done
echo "prefetch: $passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
