"""Where the time of a run goes: the slowest tests, each suite with its processor time, and how busy lanes and processors were."""
import collections
import os
import pathlib
import time

SLOWEST = 40


def _processors():
    """Seconds that all processors together were busy and idle since the machine started."""
    user, nice, system, idle, waiting, *others = map(int, pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    tick = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + sum(others)) / tick, (idle + waiting) / tick


class Times:
    def __init__(self, lanes):
        self.lanes, self.begun, self.before = lanes, time.monotonic(), _processors()
        self.tests, self.suites = [], collections.defaultdict(lambda: [0, 0])

    def test(self, group, name, seconds):
        self.tests.append((seconds, f"{group}  {name}"))

    def suite(self, suite, seconds, used):
        """USED: processor seconds of its processes that were waited for; a shared server's are not in there."""
        both = self.suites[suite.file]
        both[0] += seconds
        both[1] += used

    def by_file(self):
        return {file: seconds for file, (seconds, _) in self.suites.items()}

    def show(self):
        took = time.monotonic() - self.begun
        busy, idle = (after - before for after, before in zip(_processors(), self.before))
        print("\nSlowest tests:")
        for seconds, name in sorted(self.tests, reverse=True)[:SLOWEST]:
            print(f"    {seconds:7.1f}s  {name}")
        print("\nSuites, and processor seconds of their processes (not of a shared server):")
        for file, (seconds, used) in sorted(self.suites.items(), key=lambda s: -s[1][0]):
            print(f"    {seconds:7.1f}s  {used:7.1f}s  {file}")
        lanes = sum(seconds for seconds, _ in self.suites.values()) / (self.lanes * took or 1)
        print(f"\n{self.lanes} lanes, busy {100 * lanes:.0f} % of {took:.0f} s; processors, also with what else runs here, "
              f"{100 * busy / (busy + idle or 1):.0f} %")
