"""Ends what a suite left behind: processes that carry its mark, and mounts and loop devices of files in the scratch folder. A mark is the
runner's process id and a suite's number, 0 for what the runner itself has started."""
import os
import pathlib
import signal
import subprocess
import time

MARK = "KEYWARD_TEST_SUITE"      # in the environment of a suite's processes, inherited by all that they start


def kill_group(pid):
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def marked():
    """(process id, mark, name) of all processes that have one."""
    for p in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            marks = [e.partition(b"=")[2].decode() for e in (p / "environ").read_bytes().split(b"\0") if e.startswith(MARK.encode() + b"=")]
            if marks:
                # A test may have called it what is no text.
                yield int(p.name), marks[0], (p / "comm").read_text(errors="replace").strip()
        except OSError:          # gone meanwhile, or the kernel's own
            continue


def _alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def clean(mark):
    """Ends the processes with this mark; what they were called."""
    return _end(lambda m: m == mark)


def clean_run():
    """Ends all that this runner and its suites have started."""
    return _end(lambda m: m.split(".")[0] == str(os.getpid()))


def _end(wanted):
    names = []
    for _ in range(50):
        found = [(pid, name) for pid, mark, name in marked() if wanted(mark) and pid != os.getpid() and _alive(pid)]
        if not found:
            break
        for pid, name in found:
            names.append(name)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.05)
    return sorted(set(names))


def clean_earlier(folder):
    """Processes of runs that were killed, and mounts and loop devices of theirs in FOLDER."""
    _end(lambda m: not _alive(m.split(".")[0]))
    mounts = [line.split()[1] for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
    for at in reversed([m for m in mounts if m.startswith(f"{folder}/")]):
        subprocess.run(["umount", "-l", at], check=False, stderr=subprocess.DEVNULL)
    for loop in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            backing = loop.read_text().strip()
        except OSError:
            continue
        if backing.startswith(f"{folder}/"):
            subprocess.run(["losetup", "-d", f"/dev/{loop.parts[3]}"], check=False, stderr=subprocess.DEVNULL)
