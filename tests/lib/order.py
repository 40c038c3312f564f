"""Which suite is next: longest first, so that no lane is left with a long one at the end; and virtual machines, which keep a
processor busy all the time, spread over the whole run, beside suites that mostly wait.

tests/times says how long each file took (tests/run --keep-times writes it): a hint, nothing depends on it."""
import collect

FILE = collect.ROOT / "tests" / "times"
UNKNOWN_SECONDS = 20
MACHINES = "tests/guest/"


def read():
    """{file: seconds}; empty where nobody has kept any."""
    lines = FILE.read_text().splitlines() if FILE.exists() else []
    return {name: float(seconds) for seconds, name in (line.split() for line in lines if line[:1].isdigit())}


def write(seconds):
    """SECONDS by file, over those that are kept; files that are gone go."""
    kept = {f: s for f, s in {**read(), **seconds}.items() if (collect.ROOT / f).exists()}
    FILE.write_text("# Seconds of each file's tests, as tests/run --keep-times found them; what takes long starts first.\n" +
                    "".join(f"{s:.0f} {f}\n" for f, s in sorted(kept.items(), key=lambda kept: (-round(kept[1]), kept[0]))))


def _machines(suite):
    return suite.file.startswith(MACHINES)


class Order:
    def __init__(self, suites, lanes, known):
        self.lanes = lanes
        self.seconds = {s.file: known.get(s.file, UNKNOWN_SECONDS) for s in suites}
        longest = sorted(suites, key=lambda s: -self.seconds[s.file])
        self.machines, self.others = [s for s in longest if _machines(s)], [s for s in longest if not _machines(s)]

    def __bool__(self):
        return bool(self.machines or self.others)

    def _left(self, suites):
        return sum(self.seconds[s.file] for s in suites)

    def take(self, active):
        """The next one beside ACTIVE: of the kind that would be done last with as many lanes as it has."""
        running = sum(_machines(s) for s in active)
        of_machines = self._left(self.machines) * max(self.lanes - running, 1) > self._left(self.others) * running
        return (self.machines if self.machines and (of_machines or not self.others) else self.others).pop(0)
