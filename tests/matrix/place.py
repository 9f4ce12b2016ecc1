"""The interpreters that the matrix runs with: the machine's own, and those of ../suites/pythons in their roots."""

import collections
import functools
import json
import os
import subprocess

import table

TESTS = os.path.dirname(table.HERE)
SUITES = os.path.join(TESTS, "suites")
HOME = ("3.11", "bookworm", "/usr/bin/python3")
SET = "frameworks"  # of packages, beside the base of a suite's root
LIMIT = 180

# Imports each module by itself: what a package holds may be compiled for another Python.
FACTS = """
import importlib, json, os, sys
from importlib.metadata import PackageNotFoundError, version
def version_of(distribution):
    try:
        return version(distribution)
    except PackageNotFoundError:  # the standard library
        return ""
found, trouble = {}, {}
for word in sys.argv[2:]:
    module, _, distribution = word.partition("=")
    try:
        importlib.import_module(module)
        found[module] = version_of(distribution or module)
    except Exception as problem:
        trouble[module] = "%s: %s" % (type(problem).__name__, problem)
files = [path for path in json.loads(sys.argv[1]) if os.path.exists(path)]
print("facts " + json.dumps([found, trouble, files]))
"""

# `command` starts the interpreter; `extra`: not the one that the suite's packages are made for in the first place;
# `absent`: packages that the suite does not have; `trouble`: module -> why it cannot be imported.
Place = collections.namedtuple("Place", "version suite command extra absent modules trouble files")


class Unavailable(Exception):
    """The root could not be made."""


def known():
    """(version, suite, path of the interpreter) of each."""
    with open(os.path.join(SUITES, "pythons")) as lines:
        rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return sorted([HOME] + [tuple(row[:3]) for row in rows], key=lambda row: [int(part) for part in row[0].split(".")])


@functools.lru_cache(maxsize=None)
def root_of(suite):
    made = subprocess.run([os.path.join(SUITES, "fetch.sh"), "%s+%s" % (suite, SET)], stdout=subprocess.PIPE, text=True)
    if made.returncode:
        raise Unavailable("the root of %s could not be made" % suite)
    return made.stdout.strip()


def look_at(version, suite, python):
    """A Place, or Unavailable."""
    command, absent, extra = [python], set(), False
    if suite != HOME[1]:
        root = root_of(suite)
        command = [os.path.join(SUITES, "enter.sh"), root, python]
        with open(os.path.join(root, "absent")) as names:
            absent = set(names.read().split())
        extra = os.readlink(os.path.join(root, "usr/bin/python3")) != os.path.basename(python)
    files = [row.server.needs.format(tag=tag_of(version)) for row in table.rows() if row.server.needs]
    command_line = command + ["-c", FACTS, json.dumps(files)] + table.modules()
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
    out = subprocess.check_output(command_line, timeout=LIMIT, text=True, env=environment)
    facts = [line for line in out.splitlines() if line.startswith("facts ")]
    return Place(version, suite, command, extra, absent, *json.loads(facts[-1][6:]))


def tag_of(version):
    return version.replace(".", "")


def why_none(place, row):
    """Why a place has no such pair; None: it has."""
    application, server = row.application, row.server
    for package in application.packages + server.packages.split():
        if package in place.absent:
            return "%s has no %s" % (place.suite, package)
    # The packages are there. That they serve their suite's own Python is expected; another one, only if they do.
    if place.extra:
        for module in (application.module,) + server.modules:
            if module.partition("=")[0] in place.trouble:
                return "%s: %s" % (module, place.trouble[module])
        if server.needs and server.needs.format(tag=tag_of(place.version)) not in place.files:
            return "%s has no %s" % (place.suite, os.path.basename(server.needs.format(tag=tag_of(place.version))))
    found = place.modules.get(application.module.partition("=")[0], "")
    if application.since and numbers(found) < application.since:
        return "%s %s is older than %s" % (application.framework, found, ".".join(map(str, application.since)))
    return None


def numbers(version):
    """(2, 0, 1) of "2.0.1rc3"."""
    parts = []
    for word in version.split("."):
        digits = word[: len(word) - len(word.lstrip("0123456789"))]
        if not digits:
            break
        parts.append(int(digits))
    return tuple(parts)
