"""Searches the memory of processes for secrets: only pages that are there, and what processes share once."""
import base64
import pathlib
import re

CHUNK, PAGE = 16 << 20, 4096
SHADOW = 1 << 36             # a larger mapping is the address sanitizer's table of bytes that may be used: it copies none of them


def forms(secret):
    """As it is, in hex, and in Base64 at any of three offsets in a longer text."""
    found = {secret, secret.hex().encode(), secret.hex().upper().encode()}
    for skip in range(3):
        text = base64.b64encode(bytes(skip) + secret)[(0, 2, 3)[skip]:40]
        found |= {text, text.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def holds(data, wanted):
    """Whether any form in WANTED stands in DATA."""
    return any(data.find(form) >= 0 for form in wanted)


def regions(pid):
    """(begin, end, name) of what a process can read and really has in memory."""
    region = None
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text(errors="replace").splitlines():
        head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) (\S+) (\S+) (\d+)\s*(.*)", line)
        if head:
            region = (int(head[1], 16), int(head[2], 16), head[3], f"{head[4]} {head[5]} {head[6]} {head[7]}")
        elif line.startswith("Rss:") and int(line.split()[1]) and region[2][0] == "r" and region[1] - region[0] < SHADOW:
            yield region


def present(pid, begin, end):
    """Contents of those runs of a region's pages that are there, with the beginning of what follows."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory, open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pages:
        for at in range(begin, end, CHUNK):
            pages.seek(at // PAGE * 8)
            # The highest byte of a page's entry: 80 in memory, 40 swapped out.
            for run in re.finditer(rb"[\x40-\xff]+", pages.read(min(CHUNK, end - at) // PAGE * 8)[7::8]):
                start = at + run.start() * PAGE
                try:
                    memory.seek(start)
                    yield start, memory.read(min(len(run[0]) * PAGE + 128, end - start))
                except (OSError, OverflowError):     # [vvar] and the like
                    return


def in_memory(pid, wanted, shared):
    """Names of the regions of PID where WANTED stands. SHARED: those that have been looked at in another process."""
    found = []
    for begin, end, mode, name in regions(pid):
        if mode[3] == "s" and name in shared:
            continue
        if mode[3] == "s":
            shared.add(name)
        found += [f"{name} at {at:x}" for at, data in present(pid, begin, end) if holds(data, wanted)]
    return found


def memory_of(pairs, wanted):
    """Where WANTED stands in the processes of PAIRS (name, pid), and how many of them could be searched."""
    shared, found, count = set(), [], 0
    for name, pid in pairs:
        try:
            found += [f"{name} {pid}: {region}" for region in in_memory(pid, wanted, shared)]
            count += 1
        except OSError:                 # it has ended meanwhile, or is the container's
            continue
    return found, count
