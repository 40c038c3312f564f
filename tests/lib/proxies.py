"""Real proxies in front of a running agent service: squid, with and without a login, spoken to with and without TLS; and a name
for the service that is not this machine's own, which no proxy is asked for."""
import http.client
import http.server
import shutil
import socket
import ssl
import subprocess
import threading

from stack import certificates
from stack.ports import free_port
from stack.process import Process, wait_until

NAME = "agents.example.test"     # squid knows it by its file of hosts; nothing else does
FORBIDDEN = "forbidden.example.test"
PROXY_NAME = "proxy.localhost"
USER, PASSWORD = "guest one", "Pa:ss@wörd 41/"
SECONDS = 60


class Patient(http.server.ThreadingHTTPServer):
    daemon_threads, block_on_close = True, False     # a held heartbeat is not waited for

    def handle_error(self, request, client_address):
        """A guest that hangs up is none."""


class Front:
    """Speaks TLS as NAME and hands what it gets to the service, as a load balancer does."""

    def __init__(self, server, folder):
        port = int(server.address("agents").rsplit(":")[-1])
        trust = ssl.create_default_context(cafile=str(server.ca))

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                service = http.client.HTTPSConnection("agents.localhost", port, context=trust)
                service.sock = trust.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="agents.localhost")
                service.request("POST", self.path, body, {"Content-Type": self.headers["Content-Type"]})
                answer = service.getresponse()
                body = answer.read()
                service.close()
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        certificates.make_certificate(folder, server.state / "ca", server.ca, NAME)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(folder / f"{NAME}.crt", folder / f"{NAME}.key")
        self.http = Patient(("127.0.0.1", 0), Handler)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://{NAME}:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join(SECONDS)


class Squid:
    """OPEN, LOGIN, TLS: URLs of its ports. The last two want USER and PASSWORD; the last one is spoken to by TLS."""

    def __init__(self, server, folder):
        for name in ("log", "pid"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        certificates.make_certificate(folder, server.state / "ca", server.ca, PROXY_NAME)
        hashed = subprocess.run(["openssl", "passwd", "-apr1", "-stdin"], input=PASSWORD, stdout=subprocess.PIPE, text=True,
                                check=True).stdout.strip()
        (folder / "users").write_text(f"{USER}:{hashed}\n")
        (folder / "hosts").write_text(f"127.0.0.1 {NAME} {FORBIDDEN}\n")
        ports = [free_port() for _ in range(3)]
        self.open, self.login = (f"http://127.0.0.1:{p}" for p in ports[:2])
        self.tls = f"https://{PROXY_NAME}:{ports[2]}"
        self.conf, self.access = folder / "squid.conf", folder / "access.log"
        self.conf.write_text(f"""
http_port 127.0.0.1:{ports[0]} name=open
http_port 127.0.0.1:{ports[1]} name=login
https_port 127.0.0.1:{ports[2]} name=tls tls-cert={folder}/{PROXY_NAME}.crt tls-key={folder}/{PROXY_NAME}.key
auth_param basic program /usr/lib/squid/basic_ncsa_auth {folder}/users
auth_param basic utf8 off
auth_param basic realm test
acl open myportname open
acl users proxy_auth REQUIRED
acl forbidden dstdomain {FORBIDDEN}
http_access deny forbidden
http_access allow open
http_access allow users
http_access deny all
hosts_file {folder}/hosts
dns_nameservers 127.0.0.1
dns_timeout 1 second
connect_timeout 5 seconds
cache deny all
cache_mem 1 MB
pid_filename none
pinger_enable off
shutdown_lifetime 0 seconds
access_log stdio:{self.access}
cache_log {folder}/cache.log
cache_store_log none
coredump_dir none
""")
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "proxy")
        self.process = Process("squid", ["/usr/sbin/squid", "-N", "-f", str(self.conf)], folder)
        self.process.start()
        wait_until(lambda: all(self._answers(p) for p in ports), SECONDS, "squid does not answer", self.process.alive)

    @staticmethod
    def _answers(port):
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
            return True
        except OSError:
            return False

    def seen(self):
        """What it was asked for."""
        return self.access.read_text() if self.access.exists() else ""

    def stop(self):
        self.process.stop(SECONDS)
