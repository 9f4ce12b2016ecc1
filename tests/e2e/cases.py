"""All cases, for runner.py and test_cases.py: importing the modules below fills the registry in this order."""

import loads  # noqa: F401
import case_usdt  # noqa: F401
import case_tables  # noqa: F401
import case_versions  # noqa: F401
import case_limits  # noqa: F401
import case_times  # noqa: F401
import case_processes  # noqa: F401
import case_servers  # noqa: F401
import case_async  # noqa: F401
import case_handover  # noqa: F401
import case_dispatchers  # noqa: F401
import case_outputs  # noqa: F401
import case_refusals  # noqa: F401
import case_findings  # noqa: F401
import case_names  # noqa: F401
import case_containers  # noqa: F401
from registry import CASES  # noqa: F401
