#!/busybox sh
# shellcheck shell=dash
#
# What a guest runs unless run.py is told otherwise: the end-to-end cases, by the interpreter that the guest is made of,
# against the ladder rung that the environment names.
export NETTRACED=/src/build/nettraced NETTRACE=/src/build/nettrace NETTRACE_PYTHON=/usr/bin/python3
exec /usr/bin/python3 /src/tests/e2e/runner.py
