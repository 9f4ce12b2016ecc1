#!/busybox sh
# shellcheck shell=dash
#
# What a guest runs unless run.py is told otherwise: end-to-end cases, by the interpreter that the guest is made of,
# against the ladder rung that the environment names.
set -f
export NETTRACED=/src/build/nettraced NETTRACE=/src/build/nettrace NETTRACE_PYTHON=${NETTRACE_PYTHON:-/usr/bin/python3}

# What depends on the rung, the kernel or the walk of the frames. The rest is the same on every kernel and runs natively,
# as do cases of quantity and time.
all="plain_script connections_from_before reconnects deep_recursion shapes_of_functions
threads threads_share_a_connection handoff_between_threads blocked_in_recv
sendfile splice vectored peek_and_waitall nonblocking partial_sends ipv6 ipv4_mapped
connects_that_fail connects_that_time_out answers_that_never_come target_ends_by_itself
forked_after_attach forked_before_attach programs_started_after_attach
pools_are_shared threads_are_started asyncio_tasks
usdt_plain_script usdt_threads usdt_forked_before_attach
sidecar_and_deeper_container sidecar_and_forks container_from_host look_ups
killed_tracer_leaves_the_target_alone plain_wsgi_under_gunicorn"

# What depends on the walk alone, with a threaded, an asyncio and a prefork application.
walk="plain_script deep_recursion shapes_of_functions threads handoff_between_threads forked_before_attach asyncio_tasks
usdt_plain_script plain_wsgi_under_gunicorn"

# Unquoted: names, separated by commas in NETTRACE_CASES because the kernel takes spaces for itself; or one of these lists.
case $NETTRACE_CASES in
all) cases=$all ;;
walk) cases=$walk ;;
*) IFS=, cases=$NETTRACE_CASES ;;
esac
# shellcheck disable=SC2086
exec /usr/bin/python3 /src/tests/e2e/runner.py $cases
