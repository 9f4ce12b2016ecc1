#!/bin/sh
# Installs the Debian packages that a job needs, if any are missing: packages.sh build|demo|test ...
#
# `make demo` and `make test` call it first, on a Debian 12 that may have nothing yet. The services that come with the
# packages (redis, memcached) are neither started nor left enabled: the demo and the tests start their own.
set -eu

build='clang gcc libc6-dev make bpftool libbpf-dev libelf-dev zlib1g-dev libjansson-dev libxxhash-dev uthash-dev'
demo='python3 redis-server memcached gunicorn python3-flask python3-redis python3-pymemcache python3-requests
      python3-uvicorn python3-fastapi python3-aiohttp'
test='python3-pytest python3-uvloop libpython3.11 libcmocka-dev clang-format clang-tidy cppcheck groff-base
      qemu-system-x86 mmdebstrap cpio busybox-static e2fsprogs xz-utils zstd lz4'

# What the applications of the matrix and their servers need says tests/matrix.
matrix=$(sed -n 's/^PACKAGES = "\(.*\)"$/\1/p' "${0%/*}"/matrix/table.py "${0%/*}"/matrix/apps/*.py)

policy=/usr/sbin/policy-rc.d
work=

say() {
	echo "packages: $*" >&2
}

is_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

list_installed() {
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | sort -u
}

# A policy of our own while packages are configured: no service may start. One that is there already is left alone.
forbid_services() {
	[ -e "$policy" ] && return
	printf '#!/bin/sh\nexit 101\n' >"$work/policy"
	chmod 755 "$work/policy"
	cp -p "$work/policy" "$policy"
}

clean_up() {
	[ -n "$work" ] || return 0
	if [ -e "$work/policy" ] && cmp -s "$work/policy" "$policy"; then
		rm -f "$policy"
	fi
	rm -rf "$work"
}

update_lists() {
	say 'apt-get update'
	apt-get -q update >&2
}

lists_are_fresh() {
	[ -n "$(find /var/lib/apt/lists -name '*_Packages*' -mtime -1 -print 2>/dev/null | head -n 1)" ]
}

install() {
	say "installing $*"
	apt-get -q -y --no-install-recommends -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 install "$@" >&2
}

# Packages enable their services when they are configured; those that are new are disabled again.
disable_new_services() {
	list_installed | comm -13 "$work/before" - >"$work/new"
	while read -r package; do
		dpkg -L "$package" | sed -n 's#^\(/usr\)\?/lib/systemd/system/\([^/@]*\.service\)$#\2#p' | while read -r unit; do
			DPKG_MAINTSCRIPT_PACKAGE=$package deb-systemd-helper disable "$unit" >/dev/null || true
		done
		dpkg -L "$package" | sed -n 's#^/etc/init\.d/\([^/]*\)$#\1#p' | while read -r script; do
			update-rc.d "$script" disable >/dev/null 2>&1 || true
		done
	done <"$work/new"
}

main() {
	missing=
	for list; do
		case $list in
		build) packages=$build ;;
		demo) packages=$demo ;;
		test) packages="$test $matrix" ;;
		*) say "no such list: $list (there are: build demo test)" && exit 2 ;;
		esac
		for package in $packages; do
			is_installed "$package" || missing="$missing $package"
		done
	done
	[ -n "$missing" ] || exit 0
	if [ "$(id -u)" != 0 ]; then
		say "missing:$missing (run this as root to install them)"
		exit 1
	fi

	export DEBIAN_FRONTEND=noninteractive
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	work=$(mktemp -d)
	list_installed >"$work/before"
	forbid_services
	lists_are_fresh || update_lists
	# A list of yesterday can name versions that the mirror no longer has.
	# shellcheck disable=SC2086
	install $missing </dev/null || { update_lists && install $missing </dev/null; }
	disable_new_services
}

main "$@"
