#!/bin/bash
# fetch.sh SUITE...: makes root directories of Debian suites with their Python and what the tests need, in the cache, and
# prints the path of each. enter.sh runs a command in one; ../vm packs them for guests.
#
# Packages are unpacked and nothing more: no maintainer script runs, so none can start a service or ask for dpkg's and
# perl's help, and a root takes seconds. What those scripts would have made and the tests need is made in complete_root.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/suites/lib.sh
. "$here/lib.sh"

packages=(python3 gunicorn python3-flask python3-redis python3-pymemcache python3-requests redis-server memcached dash)

# Asked for by maintainer scripts and documentation only.
unneeded='^(perl|perl-.*|libperl5.*|dpkg|tar|debconf|adduser|passwd|login.*|libpam.*|libdb5.*|libsemanage.*|libjs-.*|openssl)$'

# A root is up to date when this file, which says all about how it is made, is the one that made it.
stamp=$(sha256sum "$here/fetch.sh" | cut -d' ' -f1)

unpack_root() {
	local root=$1 dir deb
	# Suites up to bullseye still ship files below /bin and /lib: with the links in place they land below /usr as elsewhere.
	for dir in bin sbin lib lib64; do
		mkdir -p "$root/usr/$dir"
		ln -s "usr/$dir" "$root/$dir"
	done
	for deb in "$nt_apt_debs"/*.deb; do
		dpkg-deb --field "$deb" Package | grep -Eqx "$unneeded" && continue
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --keep-directory-symlink \
			--exclude='./usr/share/doc*' --exclude=./usr/share/man --exclude=./usr/share/info \
			--exclude=./usr/share/locale --exclude=./usr/share/lintian --exclude='./usr/lib/*/gconv'
	done
}

complete_root() {
	local root=$1
	mkdir -p "$root"/{proc,sys,dev,run,tmp,root,var/tmp,etc/ssl/certs}
	chmod 1777 "$root/tmp" "$root/var/tmp"
	[ -e "$root/bin/sh" ] || ln -s dash "$root/bin/sh"
	printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$root/etc/passwd"
	printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
	echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
	printf '127.0.0.1\tlocalhost\n::1\tlocalhost\n' >"$root/etc/hosts"
	# requests reads the bundle when it is imported, even if no https is spoken.
	cat "$root"/usr/share/ca-certificates/mozilla/*.crt >"$root/etc/ssl/certs/ca-certificates.crt"
	# Unchecked: an initramfs need not keep the times by which Python would otherwise judge a .pyc.
	"$here/enter.sh" "$root" /usr/bin/python3 -c '
import compileall, glob, os, sys
for path in glob.glob("/usr/lib/python3*"):
    if os.path.isdir(path):
        compileall.compile_dir(path, quiet=2, workers=os.cpu_count(),
                               invalidation_mode=__import__("py_compile").PycInvalidationMode.UNCHECKED_HASH)
import flask, gunicorn, redis, pymemcache, requests
' >/dev/null || nt_die "the packages of the new root cannot be imported by its Python"
}

make_root() {
	local suite=$1 root=$nt_tmp/$1
	nt_apt_open "$suite"
	nt_apt apt-get install -q -y --download-only "${packages[@]}" >"$nt_tmp/log" 2>&1 || {
		cat "$nt_tmp/log" >&2
		nt_die "could not download the packages of $suite"
	}
	mkdir -m 755 "$root"
	unpack_root "$root"
	complete_root "$root"
	echo "$stamp" >"$root/.stamp"
	nt_publish "$root" "$nt_cache/suites/$suite"
	rm -rf "$nt_tmp/apt.$suite"
}

[ $# -gt 0 ] || nt_die "usage: fetch.sh SUITE..."
nt_cache_lock
for suite in "$@"; do
	if [ "$(cat "$nt_cache/suites/$suite/.stamp" 2>/dev/null)" != "$stamp" ]; then
		echo "fetch.sh: making the root of $suite" >&2
		make_root "$suite"
	fi
	echo "$nt_cache/suites/$suite"
done
