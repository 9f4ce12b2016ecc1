"""Cases of frameworks that no table knows: rows for them in a file of --config, live and in a replay."""

import json

from compare import compare
from lab import check, check_none
from loads import quit_target
from registry import case

ROWS = ["dispatched.py App.dispatch", "dispatched.py App.run_* generic"]


def _ask(lab, *options):
    """One capture of the load: its summary, and the truth."""
    target = lab.target("dispatched", {"scenario": "ask", "runs": lab.number(100)}, ("raw",))
    tracer = lab.trace(target.pid, "-i", 0, "--python", "stack", *options)
    target.say("go")
    target.expect("^done$")
    summary = tracer.finish()[-1]
    quit_target(target)
    return summary, lab.truth()


@case
def dispatchers_of_a_users_own(lab):
    """Without the rows all views are one: who asks for them. With the rows each is an endpoint, in a replay as well."""
    config, recording = lab.path("rows.json"), lab.path("rows.recording")
    with open(config, "w") as out:
        json.dump({"dispatcher": ROWS}, out)
    summary, _ = _ask(lab)
    found = [endpoint["endpoint"] for endpoint in summary["endpoints"]]
    check(found == ["scenario.main"], "without the rows: %s" % found)
    summary, truth = _ask(lab, "--config", config, "--record", recording)
    check_none(compare(summary, truth, lab.qualified(), exact_runs=False))
    status, out, err = lab.run(lab.nettrace, "replay", "--json", recording)
    check(status == 0, "replay ended with %d: %s" % (status, err))
    check(json.loads(out.splitlines()[-1])["endpoints"] == summary["endpoints"], "the replay found other endpoints")
