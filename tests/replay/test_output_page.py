"""docs/output.md names every key that a JSON summary has, and none that it has not."""

import json
import re

from test_replay import GOLDEN, ROOT

PAGE = (ROOT / "docs/output.md").read_text(encoding="utf-8")
NAME = re.compile(r"`([a-z_0-9]+)`")
SECTIONS = ("targets", "lost", "unanalysed", "cost", "endpoints", "predicted", "findings", "backends", "requests")


def summaries():
    return [json.loads(line) for path in sorted(GOLDEN.glob("*.jsonl")) for line in path.read_text().splitlines()]


def keys_of(value):
    """All keys of objects in it, however deep."""
    if isinstance(value, list):
        return set().union(*map(keys_of, value))
    if isinstance(value, dict):
        return set(value).union(*map(keys_of, value.values()))
    return set()


def section(title):
    return PAGE.partition(f"\n### {title}\n")[2].partition("\n#")[0]


def first_cells(text):
    """Names in the first column of its tables."""
    return {name for line in text.splitlines() if line.startswith("|") for name in NAME.findall(line.split("|")[1])}


def test_every_key_is_described():
    described = set(NAME.findall(PAGE.partition("\n## The JSON")[2]))
    found = set().union(*map(keys_of, summaries()))
    assert len(found) > 60
    assert found <= described, found - described


def test_tables_have_what_the_objects_have():
    """Key by key: what a section's table has is what its objects have."""
    objects = {name: [] for name in SECTIONS}
    for summary in summaries():
        for name in ("lost", "unanalysed", "cost", "requests"):
            objects[name].append(summary[name])
        for name in ("targets", "endpoints"):
            objects[name] += summary[name]
        objects["findings"] += [finding for endpoint in summary["endpoints"] for finding in endpoint["findings"]]
        objects["predicted"] += [endpoint["predicted"] for endpoint in summary["endpoints"]]
        for holder in summary["endpoints"] + [summary["unattributed"]]:
            objects["backends"] += holder["backends"]
        assert set(summary) == first_cells(section("The object"))
    for name, found in objects.items():
        assert found and all(set(one) == first_cells(section(name)) for one in found), name


def test_reasons_are_described():
    found = set().union(*(summary["unattributed"]["reasons"] for summary in summaries()))
    assert len(found) == 6
    assert found | {"calls", "backends", "reasons"} == first_cells(section("unattributed"))
