"""The manual pages have the options and verbs that --help has, no more and no fewer, and are sound mdoc.

NETTRACED=FILE and NETTRACE=FILE are the programs (default: those of build/).
"""

import os
import re
import shutil
import subprocess

import pytest

from test_replay import NETTRACE, ROOT

NETTRACED = os.environ.get("NETTRACED", os.path.join(os.path.dirname(NETTRACE), "nettraced"))
PAGES = sorted((ROOT / "docs/man").iterdir())
HELP_OPTION = re.compile(r"^  (?:-(\w), |    |  )--([\w-]+)(?: ([A-Z/]+))?", re.M)
MAN_OPTION = re.compile(r"^\.It (?:Fl (\w) , )?Fl Fl ([\w-]+)(?: Ar (\S+))?$", re.M)


def help_of(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def options_of_help(text):
    """(letter, name, argument) of each option; the first column is all that counts."""
    return sorted(HELP_OPTION.findall(text))


def options_of_page(text):
    return sorted(MAN_OPTION.findall(text))


def page(name):
    return (ROOT / "docs/man" / name).read_text(encoding="utf-8")


def test_options_of_nettraced():
    found = options_of_help(help_of(NETTRACED, "--help"))
    assert len(found) >= 16 and ("d", "duration", "SECONDS") in found and ("", "check", "") in found
    assert options_of_page(page("nettraced.8")) == found


@pytest.mark.parametrize("verb", ["replay", "diff"])
def test_options_of_verb(verb):
    found = options_of_help(help_of(NETTRACE, verb, "--help"))
    assert ("f", "format", "FORMAT") in found
    section = page("nettrace.1").partition(f".Ss Options of {verb}\n")[2].partition("\n.S")[0]
    assert options_of_page(section) == found


def test_verbs_of_nettrace():
    found = re.findall(r"^  ([a-z]+) ", help_of(NETTRACE, "help"), re.M)
    assert "replay" in found
    assert sorted(set(re.findall(r"^\.It Cm (\w+)", page("nettrace.1"), re.M))) == sorted(found)


def test_defaults_are_those_of_help():
    """The numbers that --help calls defaults or limits."""
    text = page("nettraced.8")
    numbers = re.findall(r"(?:\(default|to|:) (\d+)", help_of(NETTRACED, "--help"))
    assert len(numbers) >= 4
    for number in numbers:
        assert re.search(r"\b%s\b" % number, text), number


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_page_is_sound(path):
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    done = subprocess.run(["groff", "-ww", "-mdoc", "-Tutf8", str(path)], capture_output=True, text=True, timeout=60)
    if "mdoc" in done.stderr and "can't find macro file" in done.stderr:
        pytest.skip("groff's mdoc macros are not installed")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert "SEE ALSO" in re.sub(".\b", "", done.stdout)  # bold is printed twice
    assert "\t" not in path.read_text() and all(len(line) <= 120 for line in path.read_text().splitlines())
