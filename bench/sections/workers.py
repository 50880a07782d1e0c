"""Which worker class and how many threads serve Lantern best."""

from bench import servers
from bench.environments import environment
from bench.load import Target
from bench.processes import Server, serving
from bench.questions import PAGE, never_asked
from bench.rounds import Rounds
from bench.sections import Found, Setup, peers

CONNECTIONS = 16
CLASSES = {
    "sync": ("--worker-class", "sync"),
    **{f"gthread, {n} threads": ("--worker-class", "gthread", "--threads", str(n)) for n in (1, 2, 4, 8)},
}


def run(setup: Setup) -> Found:
    """Lantern under each worker class, two workers, 16 connections: a hot page, then questions never asked before.

    gevent comes from an environment of its own that sees Lantern's packages. Bare Flask under the configuration as
    it is shipped stands beside them.
    """
    found = Found()
    listed = [servers.lantern(setup.rows, name, more) for name, more in CLASSES.items()]

    def gevent() -> Server:
        return servers.lantern(
            setup.rows, "gevent", ("--worker-class", "gevent"), str(environment("gevent") / "python")
        )

    listed += [*peers(found, [gevent]), servers.bare()[1]]
    asked = never_asked("lantern")
    kinds = {"hot page": [PAGE["lantern"]], "never asked": asked}
    with serving(listed) as (running, problems):
        found.failed(problems)
        for title, paths in kinds.items():
            targets = [Target(name, name, paths, CONNECTIONS) for name in running if name != "flask"]
            targets.append(Target("bare Flask, 5 KB", "flask", ["/small"], CONNECTIONS))
            found.rounds(
                f"{title}, {CONNECTIONS} connections", Rounds(targets, running).run(setup.rounds, setup.seconds)
            )
    return found
