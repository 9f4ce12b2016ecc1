#!/bin/sh
# Format, clang-tidy and cppcheck over the C sources; each file of each tool is one check. Prints `lint: N passed, ...`.
set -u
cd "$(dirname "$0")/.." || exit 1

passed=0
failed=0

check() { # NAME COMMAND...
	name=$1
	shift
	if output=$("$@" 2>&1); then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not ok $name"
		printf '%s\n' "$output" | grep -v 'warnings generated' | head -n 20
	fi
}

sources=$(git ls-files '*.c' '*.h' | grep -v '^vmlinux.h$')
user=$(git ls-files 'daemon/*.c' 'cli/*.c')

for file in $sources; do
	check "format $file" clang-format --dry-run -Werror "$file"
done
for file in $user; do
	check "tidy $file" clang-tidy --quiet "$file" -- -std=gnu11 -DNT_VERSION='"lint"' -Ibuild
done
check cppcheck cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,portability \
	--suppress=unknownMacro --suppress=normalCheckLevelMaxBranches -Ibuild $user

echo "lint: $passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
