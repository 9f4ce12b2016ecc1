"""pytest's side of the lab: one for the whole session, cleaned up after each case."""

import os
import signal
import sys

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lab import Lab  # noqa: E402

ABSENT = "does not exist: "  # how the reason of a skip begins that is none


@pytest.fixture(scope="session")
def session_lab():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    with Lab() as lab:
        yield lab


@pytest.fixture
def lab(session_lab):
    print("seed %d: NETTRACE_SEED=%d repeats it" % (session_lab.seed, session_lab.seed))
    yield session_lab
    session_lab.end_case()
    session_lab.forget_truth()


def pytest_report_header():
    return "nettraced: targets run %s" % os.environ.get("NETTRACE_PYTHON", "/usr/bin/python3")


def pytest_terminal_summary(terminalreporter):
    """The line that total.py adds up."""
    counts = {name: len(terminalreporter.stats.get(name, [])) for name in ("passed", "failed", "error", "skipped")}
    failed = counts["failed"] + counts["error"]
    absent = sum(ABSENT in str(report.longrepr) for report in terminalreporter.stats.get("skipped", []))
    counts["skipped"] -= absent
    terminalreporter.write_line("%d cases do not exist with this Python" % absent)
    terminalreporter.write_line("e2e: %d passed, %d failed, %d skipped" % (counts["passed"], failed, counts["skipped"]))
