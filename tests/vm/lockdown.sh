#!/busybox sh
# shellcheck shell=dash
#
# A guest's job, for a kernel that was booted with lockdown=confidentiality: nettraced says so in one line, whether the
# file that says it is to be seen or, as in containers, not.
/usr/bin/python3 -c 'import os; os.read(0, 1)' <>/dev/ttyS0 &
target=$!

try() {
	words=$(/src/build/nettraced --pid "$target" -d 1 2>&1)
	status=$?
	case $words in
	"nettraced: "*"locked down (confidentiality)"*) [ "$status" = 1 ] && echo "ok $1" && return ;;
	esac
	echo "not ok $1 status $status, $words"
}

/busybox sleep 2
try lockdown_unseen
/busybox mount -t securityfs securityfs /sys/kernel/security
/busybox grep -q '\[confidentiality\]' /sys/kernel/security/lockdown || echo "not ok lockdown_is_on"
try lockdown_seen
/busybox kill "$target"
