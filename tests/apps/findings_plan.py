"""What the applications of findings do, drawn from a seed: their own parameters and their backends' answers.

A scenario is an endpoint; each of its runs has a number that nobody has used before. The endpoint
(findings_sync.py, findings_async.py), the backend (findings_backend.py) and the test (e2e/case_findings.py) are
different processes and draw the same here. Standard library only.
"""

import random

LETTERS = "bcdfghjklmnpqrstvwxz"  # no vowels: no word of a language comes out
CAPTURE = 4096  # bytes of a message that the test has nettraced keep: a `big` answer is more than that


def word(draw, size=10):
    return "".join(draw.choice(LETTERS) if at % 3 else draw.choice("123456789") for at in range(size))


class Plan:
    """Counts belong to the scenario, values to the run."""

    def __init__(self, seed, scenario, number=0):
        self.scenario, self.number = scenario, number
        fixed = random.Random("%d %s" % (seed, scenario))
        self.many = fixed.randint(5, 8)
        self.few = 3
        self.times = fixed.randint(2, 4)
        self.shape = fixed.randrange(5)
        self.delay = fixed.randint(2, 6) / 1000
        draw = random.Random("%d %s %d" % (seed, scenario, number))
        self.ids = draw.sample(range(10**8, 10**9), 10)
        self.words = [word(draw) for _ in range(10)]
        self.small = draw.randint(11, 99)
        self.filler = draw.randrange(10**9)

    def path(self, *words):
        return "/" + "/".join(str(one) for one in (self.scenario, self.number, *words))

    def key(self, position, kind=""):
        return "%s:%s%d" % (self.scenario, kind, self.ids[position])

    def keys(self, count):
        return [self.key(position) for position in range(count)]

    def own(self, name):
        """A key that this run has for itself."""
        return "%s:%s:%d" % (self.scenario, name, self.number)

    def other(self, name):
        """Likewise, of another kind."""
        return "%s_%s:%d" % (self.scenario, name, self.number)


def run_numbers(seed, scenario, runs):
    draw = random.Random("%d %s runs" % (seed, scenario))
    return draw.sample(range(10**7, 10**8), runs)


SHAPES = [
    lambda ids: {"items": ids},
    lambda ids: {"items": [str(one) for one in ids]},
    lambda ids: {"data": {"rows": [{"id": one, "kind": "row"} for one in ids]}},
    lambda ids: [{"href": "/things/%d?full=1" % one} for one in ids],
    lambda ids: {"by_id": {str(one): {"there": True} for one in ids}},
]


def ids_of(answer):
    """The ids in any of the shapes, in their order."""
    if isinstance(answer, list):
        return [int(one["href"].split("/")[2].split("?")[0]) for one in answer]
    if "items" in answer:
        return [int(one) for one in answer["items"]]
    if "data" in answer:
        return [one["id"] for one in answer["data"]["rows"]]
    return [int(one) for one in answer["by_id"]]


def filler(draw, size=0):
    """An answer that has nothing to do with anything."""
    answer = {"name": word(draw), "score": draw.random(), "tags": [word(draw, 6) for _ in range(draw.randint(1, 5))],
              "stamp": draw.randrange(10**12, 10**13)}
    if size:
        answer["text"] = word(draw, size)
    return answer


def stored(seed, scenario, number):
    """What redis and memcache hold before the run: two dictionaries."""
    plan = Plan(seed, scenario, number)
    redis, cache = {}, {}
    for one, text in zip(plan.ids, plan.words):
        redis["%s:%d" % (scenario, one)] = text
        cache["%s:%d" % (scenario, one)] = text
    redis["%s:list:%d" % (scenario, number)] = plan.ids[:plan.many]
    redis["%s:token:%d" % (scenario, number)] = plan.words[9]
    redis["%s:user:%d" % (scenario, number)] = plan.words[8]
    for here, there in zip(plan.ids, plan.ids[1:]):
        redis["%s:next:%d" % (scenario, here)] = str(there)
    redis.update({plan.other(name): text for name, text in zip("abcdefghij", plan.words)})
    return redis, cache


STORED_ONCE = {"rep_same:motd": "zxcvbnmlkj", "rep_written:motd": "qwrtpsdfgh"}
