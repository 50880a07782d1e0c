"""What we add to an answer."""

from bench.inprocess import ask_python
from bench.rounds import number, ratio
from bench.sections import Found, Setup
from bench.stores import store

PAIRS = {
    "lantern, from memory": "raw",
    "lantern, 304": "raw",
    "flask in our layer": "flask",
}


def run(setup: Setup) -> Found:
    """µs of CPU a WSGI call without a server, fifteen alternating rounds of 1,000 calls.

    From memory: all of Lantern for a page that it keeps (looking it up, entity tag, CORS, Link, security headers,
    request id) less a raw application that sends as many bytes. In our layer: bare Flask inside our WSGI layer less
    the same Flask alone, which is what an answer that is not kept pays. The worst is judged. For scale, what a
    question never asked before and a sum by year cost in all.
    """
    found = Found()
    times = ask_python("added", store(setup.rows))
    lines = []
    worst = None
    for name, below in PAIRS.items():
        each = [a - b for a, b in zip(times[name], times[below], strict=True)]
        added = ratio(each, [1.0] * len(each))
        lines.append([f"{name}, less {below}", number(added.median), f"{number(added.least)} to {number(added.most)}"])
        if worst is None or added.median > worst[1].median:
            worst = (name, added)
    times |= ask_python("questions", store(setup.rows))
    for name, values in times.items():
        whole = ratio(values, [1.0] * len(values))
        lines.append([name, number(whole.median), f"{number(whole.least)} to {number(whole.most)}"])
    found.tables.append(("µs of CPU a call in one process", ("what", "µs median", "spread"), lines))
    if worst:
        found.goal("added", worst[1], worst[0])
    return found
