"""Target: a framework of somebody's own, which no table knows: main() asks it, and it calls the views."""

import random

import clients
import scenario
import witness


class App:
    """Two ways to users' functions."""

    def __init__(self, raw):
        self.raw = raw

    def dispatch(self, view, turn):
        return view(self.raw, turn)

    def run_job(self, job, turn):
        self.turn = str(turn)
        return job(self.raw, turn)


@witness.endpoint
def first(raw, turn):
    with witness.run():
        _exchange(raw, 10)
        _exchange(raw, 20)


@witness.endpoint
def second(raw, turn):
    with witness.run():
        _exchange(raw, turn)


@witness.endpoint
def job(raw, turn):
    with witness.run():
        _exchange(raw, 5)
        _exchange(raw, 7)
        _exchange(raw, 9)


def _exchange(raw, size):
    raw.sock.sendall(clients.raw_request(clients.ECHO, size, 30))
    clients.read_exactly(raw.sock, 30)


def ask(options, go):
    app = App(clients.Client(options["raw"]).connect())
    draw = random.Random(options["seed"])
    go()
    for turn in range(options["runs"]):
        word = draw.randrange(3)
        if word == 2:
            app.run_job(job, turn)
        else:
            app.dispatch((first, second)[word], turn)
    return app


if __name__ == "__main__":
    scenario.main({"ask": ask})
