#!/bin/sh
# run.sh [PYTEST ARGUMENTS]: the replay tests, also of scenarios with known truth; prints `replay: N passed, N failed, N skipped`.
cd "$(dirname "$0")/../.." || exit 1
exec /usr/bin/python3 -m pytest -q -rs -p no:cacheprovider tests/replay tests/scenarios "$@"
