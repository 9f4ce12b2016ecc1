# shellcheck shell=bash
# What fetch.sh here and in ../vm share: where the cache is, how a thing gets into it whole or not at all, and an apt that
# reads another suite of Debian without touching the machine's own state. Sourced by bash, under `set -euo pipefail`.

nt_cache=${NETTRACE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/nettrace}

nt_die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# One fetch at a time: two would download the same things and race for the rename. The lock ends with the process.
nt_cache_lock() {
	mkdir -p "$nt_cache"
	exec 9>"$nt_cache/lock"
	flock 9
	# Left by a fetch that was killed: nobody else is here while we hold the lock.
	rm -rf "$nt_cache"/tmp.*
	nt_tmp=$(mktemp -d "$nt_cache/tmp.XXXXXX")
	trap 'rm -rf "$nt_tmp"' EXIT
	trap 'exit 143' TERM INT HUP
}

# nt_publish FROM TO: what was built in nt_tmp takes its place, whatever was there before goes.
nt_publish() {
	mkdir -p "$(dirname "$2")"
	if [ -e "$2" ]; then
		mv -T "$2" "$nt_tmp/old.$RANDOM"
	fi
	mv -T "$1" "$2"
}

# The machine's own sources, in one-line format, with its suite's name replaced by $1. Thus a mirror or a proxy that is
# configured for the machine serves here too. With $2 `plain`, without -updates and -security.
nt_suite_sources() {
	local own keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	own=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	# shellcheck disable=SC2016
	apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
		awk -v own="$own" -v suite="$1" -v plain="${2:-}" -v keyring="$keyring" '
			$3 != "main" || seen[$1 $2]++ { next }
			$2 == own || (plain == "" && ($2 == own "-updates" || $2 == own "-security")) {
				print "deb [signed-by=" keyring "] " $1, suite substr($2, length(own) + 1), "main"
			}'
}

# nt_apt_open SUITE [plain]: makes a private apt state anew below nt_tmp and reads the suite's package lists. The log is
# shown only if nothing came of it: of a suite that the mirror has moved away, -updates or -security may be missing, and
# that is fine.
nt_apt_open() {
	local dir=$nt_tmp/apt.$1
	nt_apt_conf=$dir/conf
	nt_apt_debs=$dir/cache/archives
	rm -rf "$dir"
	mkdir -p "$dir/lists/partial" "$nt_apt_debs/partial"
	: >"$dir/status"
	nt_suite_sources "$1" "${2:-}" >"$dir/sources.list"
	[ -s "$dir/sources.list" ] || nt_die "the machine's apt sources name no Debian archive to take $1 from"
	cat >"$nt_apt_conf" <<-END
		Dir::Etc::sourcelist "$dir/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		Dir::State::lists "$dir/lists";
		Dir::State::status "$dir/status";
		Dir::State::extended_states "$dir/extended_states";
		Dir::Cache "$dir/cache";
		Dir::Cache::archives "archives";
		APT::Default-Release "";
		APT::Install-Recommends "false";
		APT::Sandbox::User "root";
		Acquire::Languages "none";
		Acquire::PDiffs "false";
		Acquire::Retries "3";
		Acquire::http::Timeout "60";
		// Releases that are no longer updated are past their valid-until date; their signature is still checked.
		Acquire::Check-Valid-Until "false";
		#clear APT::Update::Pre-Invoke;
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
	END
	nt_apt apt-get update -q >"$dir/log" 2>&1 || true
	if ! compgen -G "$dir/lists/*_dists_${1}_*Packages*" >/dev/null; then
		cat "$dir/log" >&2
		nt_die "no package list of $1 could be read"
	fi
}

# nt_apt COMMAND ARGUMENT...: apt-get or apt-cache, on the state that nt_apt_open made.
nt_apt() {
	local command=$1
	shift
	"$command" -c "$nt_apt_conf" "$@"
}
