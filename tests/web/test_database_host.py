"""The database on another machine (TEN-6): another address, reached by TLS alone, which proves itself to every process, and they to it, each
by its own certificate. The web server, the key service, the sign-on service and jobs are this machine."""
import os
import re
import shutil
import subprocess

import psycopg2
from fixtures import fixture, scratch
from mailsink import Sink
from stack import certificates, database
from stack.installation import Installation
from stack.ports import free_port
from stack.process import Failed, wait_until
from test_agent_service import Agent, make_agent
from test_mail import save
from web import Client, make_operator, make_tenant, make_user

NAME, ADDRESS, SECONDS = "db.keyward.test", "127.0.0.2", 120
WHO = {"central": "keyward-web", "console": "keyward-web", "agent": "keyward-web", "jobs": "keyward-jobs", "owner": "root"}


class Far(database.Database):
    """A cluster that listens at ADDRESS, and lets in who comes over TLS with a certificate whose name the map has."""

    def __init__(self, state, port, ca):
        super().__init__(state)
        self.port, self.ca = port, ca

    def conninfo(self, role, database=database.NAME):
        return super().conninfo(role, database) + f" port={self.port}"

    def prepare(self):
        super().prepare()
        certificate(self.data, self.state_ca, self.ca, NAME, "serverAuth", "postgres")
        shutil.copy(self.ca, self.data / "root.crt")
        shutil.chown(self.data / "root.crt", "postgres", "postgres")
        self._write("pg_hba.conf", "local all postgres peer map=keyward\nhostssl all all 127.0.0.0/8 cert map=keyward\n")
        with open(self.data / "keyward.conf", "a") as f:
            f.write(f"listen_addresses = '{ADDRESS}'\nport = {self.port}\nssl = on\nssl_cert_file = '{NAME}.crt'\nssl_key_file = '{NAME}.key'\n"
                    "ssl_ca_file = 'root.crt'\nssl_min_protocol_version = 'TLSv1.3'\n")


def certificate(folder, ca_folder, ca, name, use, owner):
    """FOLDER/NAME.key, for OWNER alone, and .crt, for USE."""
    key, request, out = folder / f"{name}.key", folder / f"{name}.csr", folder / f"{name}.crt"
    certificates.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(key), "-out", str(request),
                         "-subj", f"/CN={name}")
    extensions = folder / "extensions"
    extensions.write_text(f"extendedKeyUsage={use}\nsubjectAltName={'IP' if name[0].isdigit() else 'DNS'}:{name}\n")
    certificates.openssl("x509", "-req", "-in", str(request), "-sha256", "-days", "30", "-CA", str(ca), "-CAkey", str(ca_folder / "ca.key"),
                         "-set_serial", "0x" + os.urandom(16).hex(), "-extfile", str(extensions), "-out", str(out))
    request.unlink(), extensions.unlink()
    shutil.chown(key, owner)
    key.chmod(0o600)


class Split:
    def __init__(self, folder):
        self.it = it = Installation(folder, "sanitize", free_port(), settings={"outside.local": "yes"})
        self.port, self.tls = free_port(), it.state / "run" / "pgtls"
        self.tls.mkdir()
        it.database = Far(it.state, self.port, it.ca)
        it.database.state_ca = it.state / "ca"
        it.processes["database"] = it.database
        certificates.make_ca(it.state / "ca", it.ca)
        shutil.copy(it.ca, self.tls / "ca.crt")
        for name in ("keyward-web", "keyward-jobs"):
            certificate(self.tls, it.state / "ca", it.ca, name, "clientAuth", name)
        certificate(self.tls, it.state / "ca", it.ca, "root", "clientAuth", "root")
        other = it.state / "other-ca"
        certificates.make_ca(other, self.tls / "other.crt")
        it.settings.update({f"database.{r}": self.conninfo(f"keyward_{r}" if r != "owner" else "postgres", user) for r, user in WHO.items()})
        it.settings["database.superuser"] = self.conninfo("postgres", "root", dbname="postgres")

    def conninfo(self, role, user, **more):
        given = {"host": NAME, "hostaddr": ADDRESS, "port": self.port, "dbname": "keyward", "user": role, "sslrootcert": self.tls / "ca.crt",
                 "sslcert": self.tls / f"{user}.crt", "sslkey": self.tls / f"{user}.key", **more}
        return " ".join(f"{k}={v}" for k, v in given.items() if v is not None)


@fixture("file")
def split():
    folder = scratch() / "split"
    shutil.rmtree(folder, ignore_errors=True)
    s = Split(folder)
    with s.it:
        s.it.prepare()
        s.it.start()
        yield s


def test_everything_works_over_tls_to_another_address(split, folder):
    # covers: TEN-6, SEC-6, OPS-3
    it = split.it
    c = Client(it, "central")
    assert c.sign_in(make_operator(it)).status == 303
    slug, tenant = make_tenant(it)                                   # by the administrator's command
    t = Client(it, "console")
    assert t.sign_in(make_user(it, tenant), account=slug).status == 303
    assert t.api("/devices").status == 200
    id, key = make_agent(it, tenant)
    assert Agent(it, tenant, id, key).connect().say(type="heartbeat", uptime_s=1)["type"] == "heartbeat"
    with Sink(it, folder) as sink:                                   # jobd
        save(c, sink, it, security="none", ca="")
        assert t.post("/users/new", name="N", email="new@far.example", role="auditor").status in (200, 303)
        sink.wait("new@far.example")
    assert c.get("/readyz").status == 200
    # The page says so, also where the setting leaves it to what holds anyway.
    shown = c.api("/database").json["connections"]
    assert {r["protection"]["name"] for r in shown} == {"TLS, certificate and name checked"}, shown
    # Whoever is connected is so by TLS, each process by its own certificate; by the socket only who sets this up.
    with psycopg2.connect(it.conninfo("postgres")) as k, k.cursor() as q:
        q.execute("select a.usename, a.client_addr is not null and s.ssl, s.version, s.client_dn from pg_stat_activity a join pg_stat_ssl s using (pid)"
                  " where a.usename like 'keyward%%'")
        rows = q.fetchall()
    assert {r[0] for r in rows} >= {"keyward_central", "keyward_console", "keyward_agent", "keyward_jobs"}, rows
    assert {r[1:3] for r in rows} == {(True, "TLSv1.3")}, rows
    assert {(r[0], r[3]) for r in rows} == {(r[0], "/CN=keyward-jobs" if r[0] == "keyward_jobs" else "/CN=keyward-web") for r in rows}


def test_one_process_cannot_be_another(split):
    # covers: TEN-6, TEN-3
    for role, user in (("keyward_owner", "keyward-web"), ("keyward_jobs", "keyward-web"), ("postgres", "keyward-jobs"), ("keyward_console", "keyward-jobs")):
        try:
            psycopg2.connect(split.conninfo(role, user, sslmode="verify-full"))
        except psycopg2.OperationalError as e:
            assert "authentication failed" in str(e), e
        else:
            raise AssertionError((role, user))
    for more in ({"sslcert": None, "sslkey": None}, {"sslmode": "disable"}):
        try:
            psycopg2.connect(split.conninfo("keyward_console", "keyward-web", **{"sslmode": "verify-full", **more}))
        except psycopg2.OperationalError as e:
            assert "no pg_hba.conf entry" in str(e) or "certificate" in str(e), e
        else:
            raise AssertionError(more)


def test_a_database_that_is_not_ours_is_refused(split):
    # covers: TEN-6, SEC-7
    it, good = split.it, dict(split.it.settings)
    wrongs = {"another authority": {"sslrootcert": split.tls / "other.crt"}, "another name": {"host": "other.keyward.test"},
              "no authority": {"sslrootcert": None}}
    try:
        for what, more in wrongs.items():
            for role, user in WHO.items():
                it.settings[f"database.{role}"] = split.conninfo(f"keyward_{role}" if role != "owner" else "postgres", user, **more)
            it._configure()
            try:
                it.keyward("tenant", "list")
            except Failed as e:
                assert re.search("certificate|does not match", str(e)), (what, e)
            else:
                raise AssertionError(what)
            try:
                it.keyward("migrate")
            except Failed as e:
                assert re.search("certificate|does not match", str(e)), (what, e)
            else:
                raise AssertionError(what)
        # The web server the same: no page, and not ready.
        it.settings.update({k: v.replace("ca.crt", "other.crt") for k, v in good.items() if k.startswith("database.")})
        it._configure()
        it.stop("web")
        it.processes["web"].start()
        c = Client(it, "central")

        def status(path):
            try:
                return c.get(path).status
            except OSError:
                return None

        wait_until(lambda: status("/healthz") == 200, SECONDS, "the web server does not answer")
        assert status("/readyz") == 503 and status("/forgotten") == 503
        assert "certificate verify failed" in (it.state / "log" / "web.log").read_text(errors="replace")
    finally:
        it.settings.clear()
        it.settings.update(good)
        it._configure()
        it.stop("web")
        it.start("web")
    assert Client(it, "central").get("/readyz").status == 200
