#!/usr/bin/python3
"""What runs of the matrix found: the file RESULTS, and the table of README.md that is made from it.

    results.py          writes the table into README.md
    results.py --check  says whether it is there as RESULTS has it (lint)

A line of RESULTS: version of Python, suite, application, framework, its version, server, mode, and how runs are told
apart (`request`, `calls`) or `none`; tabs between. Versions of frameworks move in some suites and are not compared.
"""

import collections
import os
import sys

sys.dont_write_bytecode = True

import table  # noqa: E402

PATH = os.path.join(table.HERE, "RESULTS")
README = os.path.join(table.HERE, "..", "..", "README.md")
BEGIN = "<!-- made by tests/matrix/results.py -->"
END = "<!-- end of what results.py made -->"

Line = collections.namedtuple("Line", "python suite application framework version server mode state")


def of(found):
    """The lines of a run's results."""
    lines = []
    for result in found:
        place, row = result.place, result.row
        module = row.application.module.partition("=")[0]
        version = place.modules.get(module, "") if result.state == "ok" else ""
        state = result.said["attribution"] if result.state == "ok" else result.state
        server = row.name[len(row.application.name) + 1 :]
        lines.append(Line(place.version, place.suite, row.application.name, row.application.framework, version, server,
                          row.server.mode, state))
    return sorted(lines, key=_order)


def _order(line):
    return line.framework.lower(), _python_key(line.python), line.application, line.server


def _python_key(version):
    return [int(part) for part in version.split(".")]


def read():
    with open(PATH) as lines:
        return [Line(*line.rstrip("\n").split("\t")) for line in lines if not line.startswith("#")]


def write(lines, whole):
    """Notes them, but for failures. What was not run keeps its lines, unless this was all that there is."""
    noted = {} if whole or not os.path.exists(PATH) else {_pair(line): line for line in read()}
    noted.update((_pair(line), line) for line in lines if line.state != "not ok")
    with open(PATH, "w") as out:
        out.write("# made by tests/matrix/run.py --write; results.py says what the columns are\n")
        out.writelines("\t".join(line) + "\n" for line in sorted(noted.values(), key=_order))


def difference(lines):
    """How these differ from RESULTS, in one line; None: not at all."""
    known = {line._replace(version="") for line in read()} if os.path.exists(PATH) else set()
    new = {line._replace(version="") for line in lines}
    pairs = {_pair(line) for line in lines}
    problems = ["%s %s/%s-%s" % (line.state, line.python, line.application, line.server)
                for line in sorted(new - known)]
    problems += ["no more %s/%s-%s" % (line.python, line.application, line.server)
                 for line in sorted(known - new) if _pair(line) not in pairs]
    return "differs from tests/matrix/RESULTS: " + ", ".join(problems) if problems else None


def _pair(line):
    return line.python, line.application, line.server


def render(lines):
    """The table, as Markdown: a line a framework, a column a Python; in a cell its version and the modes that passed."""
    pythons = sorted({(line.python, line.suite) for line in lines}, key=lambda pair: _python_key(pair[0]))
    cells = collections.defaultdict(list)
    for line in lines:
        cells[line.framework, line.python].append(line)
    rows = [["framework"] + ["%s (%s)" % pair for pair in pythons], ["---"] * (len(pythons) + 1)]
    for framework in sorted({line.framework for line in lines}, key=str.lower):
        rows.append([framework] + [_cell(cells[framework, python]) for python, _ in pythons])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _cell(lines):
    if any(line.state == "not ok" for line in lines):
        return "**failed**"
    if not lines:
        return "not known"
    passed = [line for line in lines if line.state != "none"]
    if not passed:
        return "does not exist"
    words = [passed[0].version] if passed[0].version else []
    for mode in sorted({line.mode for line in passed}, key=table.MODES.index):
        states = {line.state for line in passed if line.mode == mode}
        words.append(mode if "request" in states else mode + "\\*")
    return " ".join(words)


def _in_readme(text, new):
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        sys.exit("README.md has no place for the table: " + BEGIN)
    return before + BEGIN + "\n\n" + new + "\n\n" + END + after


def main():
    with open(README) as page:
        text = page.read()
    new = _in_readme(text, render(read()))
    if sys.argv[1:] == ["--check"]:
        sys.exit("README.md has another table than RESULTS: run tests/matrix/results.py" if new != text else 0)
    with open(README, "w") as page:
        page.write(new)


if __name__ == "__main__":
    main()
