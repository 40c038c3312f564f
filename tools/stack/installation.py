"""A whole installation in one folder: database, key service, jobs and web server, made when missing, started, stopped, killed.

    with Installation("build/tests/one", build="sanitize", port=free_port()) as it:
        it.prepare()
        it.start()
        print(it.address("console"), it.ca, it.status())

Several may run at once, in different folders and on different ports. What is in the folder survives; a second start goes on.
"""
import fcntl
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import string
import subprocess

from stack import certificates
from stack.database import Database
from stack.place import place
from stack.process import Failed, Process, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
SITES = {"central": "cmc.localhost", "console": "console.localhost", "agents": "agents.localhost"}
ORDER = ("database", "keyd", "ssod", "jobd", "web")          # started in this order, stopped in the other
KEYD_USERS = "root,keyward-web,keyward-jobs"
SSOD_USERS = "root,keyward-web"
READY_SECONDS = 120
WORKERS = min(2 * (os.cpu_count() or 1), 6)          # max_connections in database.py has room for six
TROUBLE = re.compile(rb"AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:")


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


class Installation:
    def __init__(self, folder, build="release", port=8443, workers=None, mode="msp", settings=None, root_key="file",
                 passphrase=None, sites=None, durable=True, template=None, languages=()):
        """BUILD: "release" or "sanitize". WORKERS of the web server: None for two per core, as they wait for the database half of their
        time; two under sanitizers. SETTINGS: more lines for keyward.conf, by name. ROOT_KEY: its provider; PASSPHRASE, for the
        one of that name, is told to the key service at each start by prepare() only. SITES: host names other than usual. DURABLE:
        and TEMPLATE of its database (stack.database). LANGUAGES: files of catalogues, besides those that the build has made."""
        self.folder = pathlib.Path(os.path.abspath(folder))      # as people know it; a link to self.state, or the same
        self.state = place(folder)
        self.build_name, self.port, self.mode = build, port, mode
        self.workers = workers or (WORKERS if build == "release" else 2)
        self.settings = settings or {}
        self.languages = languages
        self.root_key, self.passphrase = root_key, passphrase
        self.sites = {**SITES, **(sites or {})}
        self.build = ROOT / "build" / build
        self.kore = ROOT / "build" / ("kore" if build == "release" else "kore-sanitize")
        self.conf = self.state / "etc" / "keyward.conf"
        self.ca = self.state / "ca.crt"
        self.lock = self.trusted = None
        for name in ("pid", "log", "etc", "run", "keys", "tls"):
            (self.state / name).mkdir(exist_ok=True)
        self._protect()
        self.database = Database(self.state, durable, template)
        self.processes = {p.name: p for p in (self.database, self._keyd(), self._ssod(), self._jobd(), self._web())}

    # What each process is started with

    def _program(self, *path):
        return str(self.build.joinpath("src", *path))

    def _sanitizers(self, **more):
        """A process that has locked itself in cannot be looked through for leaks at its end: that takes ptrace."""
        if self.build_name != "sanitize":
            return {}
        asan = {"exitcode": "99", "detect_leaks": "0", "detect_stack_use_after_return": "1", "quarantine_size_mb": "32",
                "malloc_context_size": "8", **more}
        return {"ASAN_OPTIONS": ":".join(f"{k}={v}" for k, v in asan.items()),
                "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99"}

    def _keyd(self):
        argv = [self._program("keys", "keyward-keyd"), "--socket", str(self.state / "run" / "keyd.sock"), "--provider", self.root_key,
                "--root-key", str(self.state / "keys" / "root.key"), "--identity", str(self.state / "keys" / "identity"), "--user", "keyward-keys",
                "--allow", KEYD_USERS, "--socket-group", "keyward"]
        return Process("keyd", argv, self.state, env=self._sanitizers())

    def _ssod(self):
        argv = [self._program("sso", "keyward-ssod"), "--socket", str(self.state / "run" / "ssod.sock"), "--user", "keyward-sso",
                "--allow", SSOD_USERS, "--socket-group", "keyward"]
        return Process("ssod", argv + (["--local"] if self.settings.get("outside.local") == "yes" else []), self.state, env=self._sanitizers())

    def _jobd(self):
        return Process("jobd", [self._program("jobs", "keyward-jobd"), "--config", str(self.conf), "--user", "keyward-jobs"], self.state,
                       env=self._sanitizers())

    def _web(self):
        return Process("web", [str(self.kore / "kore"), "-f", "-c", str(self.state / "etc" / "kore.conf")], self.state,
                       env=dict(self._sanitizers(), KEYWARD_CONFIG=str(self.conf)))

    # Making what is missing

    def _protect(self):
        for name, mode, group in (("keys", 0o700, "root"), ("tls", 0o750, "keyward-tls"), ("run", 0o755, "root"),
                                  ("log", 0o755, "root"), ("etc", 0o755, "root"), ("pid", 0o755, "root")):
            folder = self.state / name
            shutil.chown(folder, "root", group)
            folder.chmod(mode)

    def _certificates(self):
        certificates.make_ca(self.state / "ca", self.ca)
        for name in self.sites.values():
            certificates.make_certificate(self.state / "tls", self.state / "ca", self.ca, name)
            for end, mode in (("key", 0o440), ("crt", 0o444)):
                file = self.state / "tls" / f"{name}.{end}"
                shutil.chown(file, "root", "keyward-tls")
                file.chmod(mode)
        certificates.make_dh_group(self.state / "etc" / "dh.pem")

    def _share(self):
        """Copies of what the processes read as users of their own: the checkout may be closed to them."""
        for name, source in (("templates", ROOT / "templates"), ("sql", ROOT / "sql"), ("assets", ROOT / "build" / "assets")):
            if not source.is_dir():
                raise Failed(f"{source} is missing: run tools/assets" if name == "assets" else f"{source} is missing")
            target = self.state / "share" / name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)
        self._languages()

    def _languages(self):
        """The catalogues that the build has made, beside the templates; those of self.languages (files) too."""
        texts = self.state / "share" / "templates" / "texts"
        texts.mkdir()
        for file in [*(self.build / "src" / "render").glob("*.json"), *self.languages]:
            shutil.copy(file, texts)

    def settings_all(self):
        roles = {f"database.{r}": self.database.conninfo(f"keyward_{r}") for r in ("central", "console", "agent", "jobs")}
        return {
            "mode": self.mode, "state": str(self.state), "port": str(self.port),
            **{f"domain.{site}": name for site, name in self.sites.items()},
            # keyward_owner itself cannot sign in; the superuser becomes it.
            **roles, "database.superuser": self.database.conninfo("postgres", "postgres"),
            "database.owner": self.database.conninfo("postgres"),
            "keyd.socket": str(self.state / "run" / "keyd.sock"), "keyd.program": self._program("keys", "keyward-keyd"),
            "sso.socket": str(self.state / "run" / "ssod.sock"), "web.chroot": str(self.state / "run"),
            "web.templates": str(self.state / "share" / "templates"), "web.assets": str(self.state / "share" / "assets"),
            "sql": str(self.state / "share" / "sql"), **self.settings,
        }

    def _configure(self):
        self.conf.write_text("# Written at each start by the installation's own script.\n" +
                             "".join(f"{k} = {v}\n" for k, v in self.settings_all().items()))
        listen = ["127.0.0.1"] + (["::1"] if has_ipv6() else [])
        template = string.Template((ROOT / "packaging" / "kore.conf.in").read_text())
        (self.state / "etc" / "kore.conf").write_text(template.substitute(
            binds="\n".join(f"\tbind {a} {self.port}" for a in listen), workers=self.workers,
            module=self._program("kore", "keyward.so"),
            chroot=self.state / "run", tls=self.state / "tls", dh=self.state / "etc" / "dh.pem", pid=self.state / "pid" / "kore",
            **self.sites))

    def prepare(self):
        """Everything on disk, and the database's schema. Ends what a killed run has left. Starts database and key service;
        returns what `keyward init` printed."""
        self.take()
        try:
            return self._prepare()
        except BaseException:
            self.stop()
            raise

    def _prepare(self):
        for name in reversed(ORDER):
            self.processes[name].stop()
        self.check_port()
        self._certificates()
        self._share()
        self.database.prepare()
        self._configure()
        self._make_root_key()
        self.start("database", "keyd")
        if self.passphrase:
            self.keyward("unseal", typed=self.passphrase)
        return self.keyward("init")

    def _make_root_key(self):
        """Where keyd does not make it by itself at its first start."""
        files = {"--root-key": self.state / "keys" / "root.key", "--identity": self.state / "keys" / "identity"}
        if self.passphrase is None or files["--identity"].exists():
            return
        argv = [self._program("keys", "keyward-keyd"), "--create", "--provider", self.root_key]
        for option, path in files.items():
            argv += [option, str(path)]
        p = subprocess.run(argv, input=f"{self.passphrase}\n", env=dict(os.environ, **self._sanitizers()), stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
        if p.returncode != 0:
            raise Failed(f"the root key could not be made: {p.stdout}")

    def take(self):
        """This program alone runs the installation from now on."""
        if self.lock is not None:
            return
        lock = open(self.state / "lock", "a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Failed(f"the installation in {self.state} is running already (process {lock.read().strip() or '?'})") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self.lock = lock

    # Running

    def check_port(self):
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            if family == socket.AF_INET6 and not has_ipv6():
                continue
            with socket.socket(family) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    s.bind((address, self.port))
                except OSError as e:
                    raise Failed(f"port {self.port} of {address} cannot be used: {e.strerror}. Is another program or installation "
                                 f"using it? Choose another one (make run PORT=...)") from None

    def start(self, *names):
        """Starts these (all when none is named) and waits until each really answers."""
        for name in names or ORDER:
            process = self.processes[name]
            if process.alive():
                continue
            if name == "web":
                self.check_port()
            process.start()
            try:
                self.wait_ready(name)
            except Failed as e:
                raise Failed(f"{name} did not start: {e}\n{process.last_lines()}") from None

    def start_again(self, *names):
        """As start, after a kill: what PostgreSQL's other processes still hold goes within moments."""
        def started():
            try:
                self.start(*names)
            except Failed:
                return False
            return True
        wait_until(started, READY_SECONDS, f"does not start again: {', '.join(names)}")

    def stop(self, *names):
        """Ends these (all), last started first; the names of those that had to be killed."""
        return [n for n in reversed(ORDER) if (not names or n in names) and not self.processes[n].stop()]

    def kill(self, name):
        self.processes[name].kill()

    def restart(self, name):
        self.stop(name)
        self.start(name)

    def alive(self, name):
        return self.processes[name].alive()

    def close(self):
        """Stops all and gives the folder free. Raises Failed when a sanitizer has found something."""
        left = self.stop()
        if self.lock is not None:
            self.lock.close()
            self.lock = None
        trouble = self.trouble()
        if trouble:
            raise Failed(trouble)
        if left:
            raise Failed(f"did not end when asked: {', '.join(left)}")

    def trouble(self):
        """What sanitizers have written into the logs; "" when nothing."""
        for name, process in self.processes.items():
            lines = process.log.read_bytes().splitlines() if process.log.exists() else []
            for i, line in enumerate(lines):
                if TROUBLE.search(line):
                    return f"{name}:\n" + b"\n".join(lines[i:i + 40]).decode(errors="replace")
        return ""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    # Asking

    def wait_ready(self, name):
        process = self.processes[name]
        ask = {"database": self.database.answers, "keyd": lambda: self._listens("keyd"), "ssod": lambda: self._listens("ssod"), "jobd": self._jobd_works, "web": self._web_answers}
        wait_until(ask[name], READY_SECONDS, "it does not answer", process.alive)

    def _listens(self, name):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            try:
                s.connect(str(self.state / "run" / f"{name}.sock"))
            except OSError:
                return False
        return True

    def _jobd_works(self):
        # Its first jobs may have said much since.
        return " jobd info ready" in self.processes["jobd"].lines()

    def _web_answers(self):
        try:
            return all(self.request(site, "/healthz")[0] for site in self.sites)
        except OSError:
            return False

    def tls_context(self):
        """One for all connections: the CA is read again only when it is another file."""
        at = self.ca.stat()
        if self.trusted is None or self.trusted[0] != (at.st_ino, at.st_mtime_ns):
            self.trusted = (at.st_ino, at.st_mtime_ns), ssl.create_default_context(cafile=str(self.ca))
        return self.trusted[1]

    def request(self, site, path, seconds=10):
        """A plain GET over checked TLS: (status, text). For more, tests use a browser or the client of their choice."""
        name = self.sites[site]
        with socket.create_connection(("127.0.0.1", self.port), seconds) as plain:
            with self.tls_context().wrap_socket(plain, server_hostname=name) as s:
                s.sendall(f"GET {path} HTTP/1.1\r\nHost: {name}:{self.port}\r\nConnection: close\r\n\r\n".encode())
                answer = b""
                while chunk := s.recv(65536):
                    answer += chunk
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode(errors="replace")

    def address(self, site, path=""):
        return f"https://{self.sites[site]}:{self.port}{path}"

    def keyward(self, *args, check=True, typed=None):
        """The administrator's command; what it printed. TYPED: a line for its standard input."""
        env = dict(os.environ, **self._sanitizers(detect_leaks="1"))
        p = subprocess.run([self._program("admin", "keyward"), "--config", str(self.conf), *args], env=env,
                           input="" if typed is None else f"{typed}\n", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if check and p.returncode != 0:
            raise Failed(f"keyward {' '.join(args)} failed:\n{p.stdout}{p.stderr}".strip())
        return p.stdout if check else p

    def status(self):
        """What `keyward status` says, whether all is well or not."""
        return self.keyward("status", check=False).stdout

    def conninfo(self, role):
        return self.database.conninfo(role)

    def remember(self, **values):
        """Keeps values across runs; all that are kept."""
        file = self.state / "remembered.json"
        kept = json.loads(file.read_text()) if file.exists() else {}
        if values:
            kept.update(values)
            new = file.with_suffix(".new")
            new.write_text(json.dumps(kept, indent=1))
            new.chmod(0o600)
            new.rename(file)
        return kept
