#!/busybox sh
# shellcheck shell=dash
#
# What a guest runs unless run.py is told otherwise: the end-to-end cases, by the interpreter that the guest is made of,
# against the ladder rung that the environment names.
set -f
export NETTRACED=/src/build/nettraced NETTRACE=/src/build/nettrace NETTRACE_PYTHON=/usr/bin/python3
# Unquoted: the names of the cases, separated by commas because the kernel takes spaces for itself.
IFS=,
# shellcheck disable=SC2086
exec /usr/bin/python3 /src/tests/e2e/runner.py $NETTRACE_CASES
