"""The page Health against an installation whose parts are really stopped: what it says, and that it takes it back."""

from fixtures import fixture
from stack.process import wait_until
from web import Client, database, make_tenant, operator

SECONDS = 150


def health(c):
    a = c.api("/health")
    assert a.status == 200, a
    return a.json


def check(doc, area, name):
    row, = [r for r in doc["checks"] if r["area_name"] == area and r["name"] == name]
    return row


def until(c, area, name, level):
    # What no process has said yet is not there yet.
    wait_until(lambda: [r for r in health(c)["checks"] if (r["area_name"], r["name"], r["level"]) == (area, name, level)], SECONDS, f"{name} does not become {level}")
    return check(health(c), area, name)


@fixture("file")
def alone(server):
    """The shared server without what tests before have left: of processes that they killed it is said for a day that they are silent (those that
    run say again that they are here), of jobs that failed until somebody looks, and those that have failed so far may yet be given up."""
    with database(server).cursor() as q:
        q.execute("delete from process")
        q.execute("delete from job where state = 'failed' or last_error is not null")
    return server


def test_all_parts_are_there(server, alone):
    # covers: ADM-2
    c = operator(server, "system-operator")
    wait_until(lambda: {p["kind"] for p in health(c)["processes"]} == {"web", "jobd", "keyd", "ssod"}, SECONDS, "not all processes say that they are here")
    wait_until(lambda: {d["name"] for d in health(c)["disks"]} == {"State folder", "Database"}, SECONDS, "not all disks are known")
    # What only one process measures is there when it has said so.
    areas = {"processes", "queue", "database", "disk", "clock", "keys", "certificates", "mail", "backup"}
    wait_until(lambda: {a["area"] for a in health(c)["areas"]} == areas, SECONDS, "not all areas are there")
    wait_until(lambda: len([p for p in health(c)["processes"] if p["kind"] == "web" and p["level"] == "good"]) == server.workers, SECONDS, "not all workers say that they are here")
    doc = health(c)
    alive = [p for p in doc["processes"] if p["level"] == "good"]
    assert {p["kind"] for p in alive} == {"web", "jobd", "keyd", "ssod"}
    assert all(p["version"] and p["started"] and p["seen"] and p["pid"] > 0 for p in alive), doc["processes"]
    disk = doc["disks"][0]
    assert doc["has_disks"] and 0 < disk["free_bytes"] < disk["total_bytes"]
    with database(server).cursor() as q:
        q.execute("select split_part(current_setting('server_version'), ' ', 1), max(name) from schema_migration")
        version, schema = q.fetchone()
    assert doc["database"]["version"] == version and doc["database"]["schema"] == schema
    # One machine: its clock is the database's.
    assert check(doc, "clock", "Against the database")["level"] == "good"
    page = c.get("/health")
    assert page.status == 200 and "<svg" in page.text and disk["total"] in page.text
    # Everything that is not well says what to do; what is well needs nothing.
    assert all(bool(r["advice"]) == (r["level"] != "good") for r in doc["checks"])
    # The overview has the same, and the command too.
    overview = c.api("/").json
    assert {a["area"] for a in overview["areas"]} == {a["area"] for a in doc["areas"]}
    assert "Job processes: 1 run" in server.status()


def test_a_stopped_jobd_is_seen(server, alone):
    # covers: ADM-2, SEC-7
    c = operator(server)
    until(c, "processes", "Job processes", "good")
    # Stopped as it should be, it goes at once; nobody is left.
    server.stop("jobd")
    try:
        row = until(c, "processes", "Job processes", "bad")
        assert "keyward-jobd" in row["advice"]
        assert not [p for p in health(c)["processes"] if p["kind"] == "jobd" and p["level"] == "good"]
        # What it would do waits, and that is seen as well.
        with database(server).cursor() as q:
            q.execute("insert into job (id, kind, payload, run_at) values (gen_random_uuid(), 'mail-test', '{\"to\": \"x\"}', now() - interval '20 minutes')")
        row = check(health(c), "queue", "Waiting jobs")
        assert row["level"] == "bad" and "20 minutes" in row["value"], row
        assert health(c)["health"]["level"] == "bad"
    finally:
        server.start("jobd")
    until(c, "processes", "Job processes", "good")
    # It was tried, and given up: worth a look until somebody has.
    until(c, "queue", "Failed jobs", "warn")
    with database(server).cursor() as q:
        q.execute("delete from job where kind = 'mail-test'")
    until(c, "queue", "Failed jobs", "good")


def test_a_killed_jobd_is_seen(server, alone):
    # covers: ADM-2
    c = operator(server)
    until(c, "processes", "Job processes", "good")
    server.kill("jobd")
    try:
        # It could not say that it goes: it is silent, as after half a minute.
        with database(server).cursor() as q:
            q.execute("update process set seen = seen - interval '31 seconds' where kind = 'jobd'")
        until(c, "processes", "Job processes", "bad")
        gone = [p for p in health(c)["processes"] if p["kind"] == "jobd"][-1]
        assert gone["status"]["name"] == "Silent"
    finally:
        server.start("jobd")
    # Another has taken its place; that one ended without a word is still said.
    assert "silent" in until(c, "processes", "Job processes", "warn")["value"]
    with database(server).cursor() as q:
        q.execute("update process set seen = now() - interval '11 minutes', started = now() - interval '1 hour' where kind = 'jobd' and seen < now() - interval '20 seconds'")
    server.restart("jobd")
    until(c, "processes", "Job processes", "good")


def test_a_key_service_that_is_away_is_seen(server):
    # covers: ADM-2
    c = operator(server)
    until(c, "processes", "Key service", "good")
    server.stop("keyd")
    try:
        assert "keyward-keyd" in until(c, "processes", "Key service", "bad")["advice"]
        keyd, = [p for p in health(c)["processes"] if p["kind"] == "keyd"]
        assert keyd["status"]["name"] == "Does not answer" and keyd["error"]
    finally:
        server.start("keyd")
    until(c, "processes", "Key service", "good")
    assert len([p for p in health(c)["processes"] if p["kind"] == "keyd"]) == 1


def test_who_may_look(server):
    # covers: ADM-2, ROL-7, TEN-2
    assert operator(server, "tenant-manager").get("/health").status == 403
    assert operator(server, "auditor").get("/health").status == 200
    assert Client(server, "central").api("/health").status == 401
    make_tenant(server)
    # Nothing of tenants' is on it.
    assert "tenant" not in {r["area_name"] for r in health(operator(server))["checks"]}
