"""A server that takes connections and says nothing, as one behind a broken firewall: who asks it waits until its own limit."""
import socket
import threading


class Silent:
    """with Silent() as s: s.port, s.url("ldap"); s.open: connections that wait now; s.most: so many did at once; s.asked: so many came."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        self.open, self.most, self.asked, self.lock = 0, 0, 0, threading.Lock()

    def url(self, scheme):
        return f"{scheme}://127.0.0.1:{self.port}"

    def _count(self, by):
        with self.lock:
            self.open += by
            self.most = max(self.most, self.open)
            self.asked += by > 0

    def _hold(self, connection):
        with connection:
            while True:
                try:
                    if not connection.recv(65536):
                        break
                except OSError:
                    break
        self._count(-1)

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self._count(1)
            threading.Thread(target=self._hold, args=(connection,), daemon=True).start()

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc):
        # An accept under way does not end by a close alone.
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
