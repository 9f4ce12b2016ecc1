#!/bin/bash
# fetch-kernel.sh VERSION...: gets Debian's stock cloud kernels as uncompressed ELF images into the cache and prints the
# path of each. run.py boots them. Nothing is installed: the package is unpacked for its one file.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/suites/lib.sh
. "$here/../suites/lib.sh"

# A kernel is a line here: its version and the suite that ships it.
kernels='
5.10 bullseye
6.1  bookworm
6.12 trixie
'

# linux-image-cloud-amd64 has no content; it depends on the newest image that the suite has.
make_kernel() {
	local version=$1 suite=$2 image
	nt_apt_open "$suite"
	image=$(nt_apt apt-cache depends linux-image-cloud-amd64 | awk '$1 == "Depends:" { print $2; exit }')
	case $image in
	linux-image-"$version".*) ;;
	*) nt_die "$suite has ${image:-no cloud kernel}, not $version" ;;
	esac
	(cd "$nt_tmp" && nt_apt apt-get download -q "$image" >log 2>&1) || {
		cat "$nt_tmp/log" >&2
		nt_die "could not download $image"
	}
	mkdir "$nt_tmp/$version"
	dpkg-deb --fsys-tarfile "$nt_tmp/$image"_*.deb | tar -x -C "$nt_tmp/$version" --wildcards './boot/vmlinuz-*'
	/usr/bin/python3 "$here/vmlinux.py" "$nt_tmp/$version"/boot/vmlinuz-* "$nt_tmp/vmlinux"
	nt_publish "$nt_tmp/vmlinux" "$nt_cache/kernels/vmlinux-$version"
	rm -rf "$nt_tmp/apt.$suite" "$nt_tmp/${version:?}"
}

[ $# -gt 0 ] || nt_die "usage: fetch-kernel.sh VERSION..."
nt_cache_lock
for version in "$@"; do
	suite=$(awk -v version="$version" '$1 == version { print $2 }' <<<"$kernels")
	[ -n "$suite" ] || nt_die "no kernel $version in the table"
	if [ ! -e "$nt_cache/kernels/vmlinux-$version" ]; then
		echo "fetch-kernel.sh: getting the kernel $version of $suite" >&2
		make_kernel "$version" "$suite"
	fi
	echo "$nt_cache/kernels/vmlinux-$version"
done
