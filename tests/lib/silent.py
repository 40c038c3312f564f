"""A server that takes connections and says nothing, as one behind a broken firewall: who asks it waits until its own limit."""
import select
import socket
import threading


def _ended(connection):
    """Whether the other end has closed it."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return bool(poll.poll(0))


class Silent:
    """with Silent() as s: s.port, s.url("ldap"); s.open: connections that wait now; s.most: so many did at once."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        self.waiting, self.most, self.lock = [], 0, threading.Lock()

    def url(self, scheme):
        return f"{scheme}://127.0.0.1:{self.port}"

    @property
    def open(self):
        with self.lock:
            return self._look()

    def _look(self):
        """What has ended is looked for when it counts: who closed one and opened the next had never two."""
        for connection in [c for c in self.waiting if _ended(c)]:
            self.waiting.remove(connection)
            connection.close()
        return len(self.waiting)

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with self.lock:
                self.waiting.append(connection)
                self.most = max(self.most, self._look())

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc):
        # An accept under way does not end by a close alone.
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for connection in self.waiting:
            connection.close()
