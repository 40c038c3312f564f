"""A private PostgreSQL cluster for tests: real server, own folder, Unix socket only; it waits for no disk, as nobody pulls this machine's plug.

    with Cluster() as pg:          # started, not migrated
        pg.migrate()
        with pg.connect("keyward_console", tenant=tenant_id) as c: ...

Cluster(migrated=True) has the schema from the start: in a run of the tests it is a copy of the one that whoever was first has made.
Started by root, the server runs as user postgres; root may then sign in as every role (peer authentication with a map).
As a program: `pg.py exec PROGRAM ARGS...` runs PROGRAM with a migrated cluster, whose connection string (without a user) is in
the environment as KEYWARD_TEST_PG, and stops the cluster afterwards.
"""
import fcntl
import getpass
import glob
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROLES = ("keyward_owner", "keyward_central", "keyward_console", "keyward_agent", "keyward_jobs")
DATABASE = "keyward"
SCHEMA = "KEYWARD_TEST_SCHEMA"   # in the environment of a run: the folder of the cluster that others are copies of


def build_dir():
    """Where the programs under test are."""
    return pathlib.Path(os.environ.get("KEYWARD_BUILD", ROOT / "build" / "sanitize"))


def bin_dir():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[-2]))
    if not found:
        raise RuntimeError("PostgreSQL's server programs are not installed")
    return found[-1]


def schema():
    """The folder of a stopped cluster with the schema and nothing else in it, made when it is first asked for in a run; None outside of one."""
    if SCHEMA not in os.environ:
        return None
    folder = pathlib.Path(os.environ[SCHEMA])
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with Cluster(base=folder.parent) as made:
                made.migrate()
                made.keep(folder)
    return folder


class Cluster:
    def __init__(self, base=None, settings=None, migrated=False):
        """BASE: a folder to make the cluster's folder in; SETTINGS: lines for postgresql.conf by name."""
        self.settings = settings or {}
        self.base, self.migrated = base, migrated
        self.dir = None

    # A server does not run as root; then, and only then, it runs as user postgres.
    def _as_server(self, args, **kw):
        prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        return subprocess.run(prefix + args, check=True, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kw)

    def start(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kwpg-", dir=self.base or "/tmp"))
        self.data = self.dir / "data"
        if os.geteuid() == 0:
            shutil.chown(self.dir, "postgres", "postgres")
        self.dir.chmod(0o755)
        source = schema() if self.migrated else None
        if source:
            subprocess.run(["cp", "-a", str(source), str(self.data)], check=True)
        else:
            self._make()
        me = getpass.getuser()
        ident = "".join(f"keyward {who} {role}\n" for who in sorted({me, "root", "postgres"}) for role in ("postgres",) + ROLES)
        self._write("pg_ident.conf", ident)
        self._write("pg_hba.conf", "local all all peer map=keyward\n")
        conf = {"listen_addresses": "''", "unix_socket_directories": f"'{self.dir}'", "max_connections": "60",
                "shared_buffers": "'32MB'", "logging_collector": "off", "fsync": "off", "timezone": "'UTC'"}
        conf.update(self.settings)
        self._write("keyward.conf", "".join(f"{k} = {v}\n" for k, v in conf.items()))
        self._pg_ctl("start", "-l", str(self.dir / "log"))
        if self.migrated and not source:
            self.migrate()
        return self

    def _make(self):
        """Empty, and in the form that an installation's is made in (tools/stack/database.py): that may begin as a copy of it."""
        self._as_server([f"{bin_dir()}/initdb", "-D", str(self.data), "-A", "peer", "-U", "postgres", "-E", "UTF8", "--no-sync",
                         "--data-checksums", "--no-instructions", "--locale=C.UTF-8"])
        with open(self.data / "postgresql.conf", "a") as f:
            f.write("include = 'keyward.conf'\n")

    def keep(self, folder):
        """Ends the server; its data are FOLDER from now on."""
        self._pg_ctl("stop", "-m", "fast")
        self.data.rename(folder)

    def _write(self, name, text):
        (self.data / name).write_text(text)

    def _pg_ctl(self, verb, *more):
        self._as_server([f"{bin_dir()}/pg_ctl", "-D", str(self.data), "-w", "-t", "60", verb, *more])

    def stop(self):
        """Ends the server and removes everything."""
        if self.dir is None:
            return
        try:
            self._pg_ctl("stop", "-m", "immediate")
        except subprocess.CalledProcessError:
            pass
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir = None

    def restart(self, mode="fast"):
        self._pg_ctl("restart", "-m", mode, "-l", str(self.dir / "log"))

    def log(self):
        return (self.dir / "log").read_text()

    def __enter__(self):
        return self.start() if self.dir is None else self

    def __exit__(self, *exc):
        self.stop()

    def conninfo(self, role=None, database=DATABASE):
        return f"host={self.dir} dbname={database}" + (f" user={role}" if role else "")

    def migrate(self, folder=None):
        """Roles, database and schema, by the same code as `keyward migrate`. Returns what it printed."""
        return tool("migrate", self.conninfo("postgres", "postgres"), DATABASE, str(folder or ROOT / "sql"))

    def connect(self, role, tenant=None, autocommit=False):
        """A psycopg2 connection; TENANT binds the session (tests may, the product binds transactions)."""
        import psycopg2
        import psycopg2.extras
        psycopg2.extras.register_uuid()
        c = psycopg2.connect(self.conninfo(role))
        c.autocommit = True
        if tenant is not None:
            with c.cursor() as cur:
                cur.execute("select set_config('keyward.tenant', %s, false)", (str(tenant),))
        c.autocommit = autocommit
        return c

    def connect_believed(self, role, tenant):
        """The same rights, but signed in as the superuser, whose verdicts and people are not held against policies and users (sql/0027)."""
        import psycopg2
        c = psycopg2.connect(self.conninfo("postgres") + f" options='-c role={role} -c keyward.tenant={tenant}'")
        c.autocommit = True
        return c

    def run(self, role, sql, args=None, tenant=None):
        """One statement, committed; its rows, or None."""
        c = self.connect(role, tenant, autocommit=True)
        try:
            with c.cursor() as cur:
                cur.execute(sql, args)
                return cur.fetchall() if cur.description else None
        finally:
            c.close()

    def new_tenant(self, slug=None):
        """A tenant as the operator makes one; its id."""
        tenant = uuid.uuid4()
        slug = slug or "t" + tenant.hex[:12]
        self.run("keyward_central", "insert into tenant (id, slug, name, wrapped_key) values (%s, %s, %s, %s)",
                 (tenant, slug, slug, b"wrapped"))
        return tenant


def tool(*args, check=True):
    """The store's test program; what it printed."""
    p = subprocess.run([str(build_dir() / "tests" / "unit" / "store_tool"), *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       text=True)
    if check and p.returncode != 0:
        raise RuntimeError(f"store_tool {args[0]}: {p.stdout}{p.stderr}")
    return p.stdout if check else p


def main(argv):
    if len(argv) < 3 or argv[1] != "exec":
        sys.exit("usage: pg.py exec PROGRAM ARGS...")
    with Cluster(migrated=True) as pg:
        env = dict(os.environ, KEYWARD_TEST_PG=pg.conninfo())
        return subprocess.run(argv[2:], env=env).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv))
