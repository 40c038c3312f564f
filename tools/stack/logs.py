"""Follows log files and prints their new lines, each behind the name of its process."""
import sys
import threading

COLOURS = {"database": 34, "keyd": 35, "ssod": 31, "jobd": 33, "web": 36, "agent": 32}


class Tail:
    def __init__(self, out=None):
        self.out = out or sys.stdout
        self.files = []              # [name, path, offset, partial line]
        self.done = threading.Event()
        self.thread = None

    def follow(self, name, path):
        """From the file's present end on; it need not exist yet."""
        try:
            offset = path.stat().st_size
        except OSError:
            offset = 0
        self.files.append([name, path, offset, b""])
        if self.thread is None:
            self.thread = threading.Thread(target=self._run, daemon=True)
            self.thread.start()

    def close(self):
        """Prints what is left."""
        self.done.set()
        if self.thread is not None:
            self.thread.join()

    def _run(self):
        while not self.done.wait(0.2):
            self._look()
        self._look()

    def _look(self):
        for f in self.files:
            try:
                with open(f[1], "rb") as log:
                    if log.seek(0, 2) < f[2]:
                        f[2] = 0             # it was begun anew
                    log.seek(f[2])
                    data = log.read()
            except OSError:
                continue
            f[2] += len(data)
            *whole, f[3] = (f[3] + data).split(b"\n")
            for line in whole:
                self._print(f[0], line.decode(errors="replace"))

    def _print(self, name, line):
        label = f"{name:8}"
        if self.out.isatty():
            label = f"\x1b[{COLOURS.get(name, 37)}m{label}\x1b[0m"
        # Control characters of a log line must not reach a terminal.
        self.out.write(f"{label} {''.join(c if c.isprintable() or c == chr(9) else '?' for c in line)}\n")
        self.out.flush()
