"""A case of what is read in code objects: lines, and where instructions begin and jump to."""

import os
import shutil

from lab import TESTS, check
from registry import case

FILES = 150


@case
def lines_of_the_standard_library(lab):
    """Every line of a good part of it, against what the target's own interpreter says."""
    library = os.environ.get("NETTRACE_TABLES", os.path.join(os.path.dirname(TESTS), "build", "libtables.so"))
    shutil.copy(library, lab.path("libtables.so"))
    words = [lab.seen_by_target(lab.path(name)) for name in ("tables.py", "libtables.so")]
    status, said, complaints = lab.run(*lab.python, "-W", "ignore", *words, FILES)
    check(status == 0, said + complaints)
