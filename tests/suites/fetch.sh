#!/bin/bash
# fetch.sh SUITE[+SET]...: makes root directories of Debian suites with their Pythons and what the tests need, in the
# cache, and prints the path of each. The file `packages` says what is in them. enter.sh runs a command in one; ../vm packs
# them for guests.
#
# Packages are unpacked and nothing more: no maintainer script runs, so none can start a service or ask for dpkg's and
# perl's help, and a root takes seconds. What those scripts would have made and the tests need is made in complete_root.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/suites/lib.sh
. "$here/lib.sh"

# Asked for by maintainer scripts and documentation only.
unneeded='^(perl|perl-.*|libperl5.*|dpkg|tar|debconf|adduser|passwd|login.*|libpam.*|libdb5.*|libsemanage.*|libjs-.*|openssl)$'

# How long a root is kept that nobody asks for: those of other checkouts and of recipes from before.
kept_days=14

# The packages of a suite and a set, by the table; those of `frameworks` are what the applications of ../matrix need.
list_packages() {
	if [ "$2" = frameworks ]; then
		sed -n 's/^PACKAGES = "\(.*\)"$/\1/p' "$here"/../matrix/table.py "$here"/../matrix/apps/*.py | tr -s ' ' '\n' | sort -u
	fi
	awk -v suite="$1" -v set="$2" '
		$1 ~ /^#/ || NF < 2 || ($1 != "base" && $1 != set) { next }
		{ taken = NF == 2 || $3 ~ /^!/ }
		{ for (i = 3; i <= NF; i++) if ($i == suite || $i == "!" suite) taken = $i == suite }
		taken { print $2 }' "$here/packages"
}

# A root's place in the cache: its name and a hash of its recipe, which is this file and its packages. So a root is made
# when its recipe changes, and not when the suite does, which for sid is every day; and checkouts with different recipes
# do not take each other's roots away.
root_path() {
	local recipe
	recipe=$({ cat "$here/fetch.sh" && list_packages "$2" "$3"; } | sha256sum | cut -c1-12)
	echo "$nt_cache/suites/$1.$recipe"
}

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
	compile_root "$root"
}

# For each of the root's Pythons: compiles what it imports, and imports what the cases do.
# Unchecked: an initramfs need not keep the times by which Python would otherwise judge a .pyc.
compile_root() {
	local root=$1 python
	for python in "$root"/usr/bin/python3.*; do
		[[ $python =~ /python3\.[0-9]+$ ]] || continue
		"$here/enter.sh" "$root" "${python#"$root"}" -c '
import compileall, os, py_compile, sys
for path in "/usr/lib/python3", "/usr/lib/python3.%d" % sys.version_info[1]:
    compileall.compile_dir(path, quiet=2, workers=os.cpu_count(),
                           invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
import flask, gunicorn, redis, pymemcache, requests
' >/dev/null || nt_die "the packages of the new root cannot be imported by its ${python##*/}"
	done
}

# Names of packages that the suite does not have, among those given.
list_absent() {
	local package
	for package; do
		nt_apt apt-cache show --no-all-versions "$package" >/dev/null 2>&1 || echo "$package"
	done
}

# download SUITE SET FILE [plain]: the packages, into $nt_apt_debs. The names of those that the suite does not have go into
# the file; only what the matrix's applications need may be among them.
download() {
	local packages
	nt_apt_open "$1" "${4:-}"
	mapfile -t packages < <(list_packages "$1" "$2")
	if [ "$2" = frameworks ]; then
		list_absent "${packages[@]}" >"$3"
		mapfile -t packages < <(printf '%s\n' "${packages[@]}" | grep -Fxv -f "$3")
	fi
	nt_apt apt-get install -q -y --download-only "${packages[@]}" >"$nt_tmp/log" 2>&1
}

make_root() {
	local name=$1 suite=$2 set=$3 path=$4 root=$nt_tmp/$1
	mkdir -m 755 "$root"
	# A suite's lists can name updates that its mirror does not have any more; the suite itself stays as it is.
	download "$suite" "$set" "$root/absent" || download "$suite" "$set" "$root/absent" plain || {
		cat "$nt_tmp/log" >&2
		nt_die "could not download the packages of $name"
	}
	unpack_root "$root"
	complete_root "$root"
	nt_publish "$root" "$path"
	rm -rf "$nt_tmp/apt.$suite"
}

[ $# -gt 0 ] || nt_die "usage: fetch.sh SUITE[+SET]..."
nt_cache_lock
for name in "$@"; do
	suite=${name%%+*}
	set=base
	[ "$suite" = "$name" ] || set=${name#*+}
	path=$(root_path "$name" "$suite" "$set")
	if [ ! -e "$path" ]; then
		echo "fetch.sh: making the root of $name" >&2
		make_root "$name" "$suite" "$set" "$path"
	fi
	touch "$path"
	echo "$path"
done
find "$nt_cache/suites" -mindepth 1 -maxdepth 1 -mtime +$kept_days -exec rm -rf {} +
