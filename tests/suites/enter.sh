#!/bin/bash
# enter.sh ROOT COMMAND...: runs a command in a root that fetch.sh made. It sees the machine's /proc, /dev and /tmp, and
# the checkout read-only under its own path; network and process ids are the machine's, so from outside its processes are
# traced like any other. The mounts live in a mount namespace that ends with its last process. Each step execs the next:
# the pid of this script is in the end the command's.
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: enter.sh ROOT COMMAND..." >&2; exit 2; }

if [ "${NT_ENTERED:-}" != $$ ]; then
	export NT_ENTERED=$$
	exec unshare --mount --propagation private bash "$0" "$@"
fi
unset NT_ENTERED

root=$1
shift
checkout=$(cd "$(dirname "$0")/../.." && pwd)
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind /tmp "$root/tmp"
mkdir -p "$root$checkout"
mount --bind "$checkout" "$root$checkout"
mount -o remount,bind,ro "$root$checkout"
exec chroot "$root" "$@"
