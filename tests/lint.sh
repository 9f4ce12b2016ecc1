#!/bin/sh
# Format, clang-tidy and cppcheck over the C sources; each file of each tool is one check. And whether README's table is the
# one that the matrix found. Prints `lint: N passed, ...`.
set -u
cd "$(dirname "$0")/.." || exit 1

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# check NAME COMMAND...: one line in the results, and what the tool said if it found something.
cat >"$work/check" <<'EOF'
#!/bin/sh
name=$1
shift
if output=$("$@" 2>&1); then
	echo ok
else
	printf 'not ok %s\n%s\n' "$name" "$(printf '%s\n' "$output" | grep -v 'warnings\{0,1\} generated' | head -n 20)"
fi
EOF
chmod +x "$work/check"

# The skeleton is generated: a system header to the tools. Where nothing is built yet it is missing, and says so.
[ -e build/nettraced.skel.h ] || make -s build/nettraced.skel.h >&2 || exit 1

# cppcheck reads every byte of the object that is in it, for a minute and a half per source: it gets the declarations alone.
mkdir "$work/skeleton"
sed -e 's/^\treturn (const void \*)"\\$/\treturn "";/' -e '/^\\/d' build/nettraced.skel.h >"$work/skeleton/nettraced.skel.h"

{
	find bpf cli daemon tests -name '*.[ch]' |
		xargs -P "$(nproc)" -I FILE "$work/check" 'format FILE' clang-format --dry-run -Werror FILE
	# The longest first, so that no processor waits for the other's last one.
	find daemon cli -name '*.c' -printf '%s %p\n' | sort -rn | cut -d ' ' -f 2 |
		xargs -P "$(nproc)" -I FILE "$work/check" 'tidy FILE' \
			clang-tidy --quiet FILE -- -std=gnu11 -DNT_VERSION='"lint"' -isystem build
	"$work/check" cppcheck cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -j "$(nproc)" \
		--enable=warning,portability --library=tests/cppcheck.cfg -I"$work/skeleton" --suppress="*:$work/*" \
		$(find daemon cli -name '*.c')
	"$work/check" "README's table" tests/matrix/results.py --check
} >"$work/results"

grep -v '^ok$' "$work/results"
passed=$(grep -c '^ok$' "$work/results")
failed=$(grep -c '^not ok ' "$work/results")
echo "lint: $passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
