"""The installation's private PostgreSQL: a cluster of its own, reached by Unix socket only, who may be whom by peer maps."""
import glob
import os
import shutil
import signal
import subprocess

from stack.process import Failed, Process, wait_until

NAME = "keyward"
ROLES = ("keyward_owner", "keyward_central", "keyward_console", "keyward_agent", "keyward_jobs")
# Who (user of the operating system) may sign in as which role. Root is the administrator, whose command uses all of them.
MAP = (
    ("keyward-web", "keyward_central"),
    ("keyward-web", "keyward_console"),
    ("keyward-web", "keyward_agent"),
    ("keyward-jobs", "keyward_jobs"),
    ("postgres", "postgres"),
    ("root", "postgres"),
    *(("root", role) for role in ROLES),
)
SETTINGS = {
    "listen_addresses": "''",
    "max_connections": "150",
    "shared_buffers": "'64MB'",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "log_line_prefix": "'%m %q%u '",
    "log_checkpoints": "off",
    # Statements may hold what a log must not.
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
}
START_SECONDS = 120


def programs():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda p: int(p.split("/")[-3]))
    if not found:
        raise Failed("PostgreSQL's server is not installed: run tools/install run")
    return os.path.dirname(found[-1])


class Database(Process):
    def __init__(self, state, durable=True, template=None):
        """DURABLE False: as durable as this machine stays up; for what is thrown away. TEMPLATE: the folder of a stopped cluster that this one begins
        as a copy of; made once more, when it was destroyed, it is empty."""
        self.durable, self.template = durable, template
        self.data = state / "db"
        self.sockets = state / "run" / "pg"
        # SIGINT: ends sessions, then shuts down in order; SIGTERM would wait for them.
        super().__init__("database", [f"{programs()}/postgres", "-D", str(self.data)], state, user="postgres", group="postgres",
                         env={"LC_ALL": "C.UTF-8"}, stop_signal=signal.SIGINT)

    def conninfo(self, role, database=NAME):
        return f"host={self.sockets} dbname={database} user={role}"

    def prepare(self):
        self.sockets.mkdir(exist_ok=True)
        shutil.chown(self.sockets, "postgres", "postgres")
        self.sockets.chmod(0o755)
        if not (self.data / "PG_VERSION").exists() or not (self.data / "keyward.made").exists():
            self._make()
        self._write("pg_hba.conf", "local all all peer map=keyward\n")
        self._write("pg_ident.conf", "".join(f"keyward {user} {role}\n" for user, role in MAP))
        self._write("keyward.conf", "".join(f"{k} = {v}\n" for k, v in
                                            dict(SETTINGS, fsync="on" if self.durable else "off", unix_socket_directories=f"'{self.sockets}'").items()))

    def _make(self):
        """A cluster that was only half made is made anew: nothing can be in it yet."""
        shutil.rmtree(self.data, ignore_errors=True)
        template, self.template = self.template, None
        if template:
            subprocess.run(["cp", "-a", str(template), str(self.data)], check=True)
        else:
            self._initdb()
        self._write("keyward.made", "")

    def _initdb(self):
        self.data.mkdir(mode=0o700)
        shutil.chown(self.data, "postgres", "postgres")
        p = subprocess.run([f"{programs()}/initdb", "-D", str(self.data), "-A", "peer", "-U", "postgres", "-E", "UTF8",
                            "--locale=C.UTF-8", "--data-checksums", "--no-instructions", *([] if self.durable else ["--no-sync"])], cwd="/", user="postgres", group="postgres",
                           extra_groups=[], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if p.returncode != 0:
            raise Failed(f"PostgreSQL's initdb failed:\n{p.stdout}")
        with open(self.data / "postgresql.conf", "a") as f:
            f.write("include = 'keyward.conf'\n")

    def _write(self, name, text):
        file = self.data / name
        file.write_text(text)
        shutil.chown(file, "postgres", "postgres")
        file.chmod(0o600)

    def answers(self):
        return self.ask("select 1") == "1"

    def ask(self, sql, role="postgres", database="postgres"):
        """One value as text; None when the server does not answer or refuses."""
        p = subprocess.run([f"{programs()}/psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.conninfo(role, database), "-c", sql],
                           cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return p.stdout.strip() if p.returncode == 0 else None

    def wait_ready(self):
        wait_until(self.answers, START_SECONDS, "PostgreSQL does not answer", self.alive)
