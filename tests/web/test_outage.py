"""What the consoles say while a part of the installation is away; with an installation of its own, since it stops parts."""
import re
import time

from fixtures import fixture, installation
from stack.client import Client
from stack.process import wait_until
from test_appearance import HTML, STALE, address_of, png, save, url
from web import operator
from world import World


TOKEN = "a-token-of-metrics"


@fixture("file")
def world():
    with installation("outage", settings={"metrics.token": TOKEN}) as it:
        yield World(it)


def test_without_the_database_pages_say_so(world):
    # covers: OPS-2, SEC-4
    server, c = world.it, world.console()
    server.stop("database")
    try:
        a = c.get("/sessions")
        assert a.status == 503 and a.header("retry-after") and "keyward_console" not in a.text and "socket" not in a.text
        assert c.get("/healthz").status == 200
        assert c.get("/readyz").status == 503
        # A page says when to try again, a form how what was typed is sent again.
        assert "Try again in a minute" in a.text and "reload this page" not in a.text
        a = c.post("/language", language="de")
        assert a.status == 503 and "Try again in a minute" in a.text and "reload this page to send it once more" in a.text
        a = c.api("/sessions")
        assert a.status == 503 and a.json["code"] == "unavailable"
    finally:
        server.start("database")
    assert c.get("/sessions").status == 200 and c.get("/readyz").status == 200


def test_without_the_database_the_operators_name_and_logo_stay(world):
    # covers: WEB-4, OPS-2
    server, c = world.it, world.console()
    save(operator(server), logo=url(png()))
    time.sleep(STALE)
    logo = address_of(Client(server, "console").get("/sign-in").text, r"\.png")
    # Of several workers each has what it was asked for, and one that was asked for nothing yet has nothing.
    assert all(c.get(path).status == 200 for _ in range(12) for path in ("/sessions", logo))
    server.stop("database")
    try:
        time.sleep(STALE)
        wait_until(lambda: c.get(logo).status == 200, 60, "the logo is not shown any more")
        wait_until(lambda: all(words in c.get("/sessions").text for words in (HTML, logo, "Try again in a minute")), 60, "the name is not shown any more")
        assert c.get(logo.replace(".png", "0.png")).status == 404
    finally:
        server.start("database")
    assert operator(server).api("/appearance/remove", {}).status == 200
    wait_until(lambda: Client(server, "console").get(logo).status == 404, 60, "a logo that was put back is still given")


def test_without_the_key_service_it_is_not_ready(world):
    # covers: OPS-2
    server, c = world.it, world.console()
    server.stop("keyd")
    try:
        a = c.get("/readyz")
        assert a.status == 503 and "key service" in a.text
        assert c.get("/sessions").status == 200
    finally:
        server.start("keyd")
    assert c.get("/readyz").status == 200


def _metrics(server):
    """{series: number}; every line is one of Prometheus' text format, every series has its help and type before it."""
    a = Client(server, "central").send("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert a.status == 200 and a.header("content-type").startswith("text/plain; version=0.0.4"), a
    found, known = {}, {}
    for line in a.text.splitlines():
        if line.startswith("#"):
            kind, name = re.fullmatch(r"# (HELP|TYPE) ([a-z_]+) .+", line).groups()
            known.setdefault(name, []).append(kind)
            continue
        name, labels, value = re.fullmatch(r'([a-z_]+)(\{[a-z]+="[a-z_]+"(?:,[a-z]+="[a-z_]+")*\})? ([0-9]+)', line).groups()
        assert known[name] == ["HELP", "TYPE"] and name + (labels or "") not in found, line
        found[name + (labels or "")] = int(value)
    return found


def test_metrics_count_what_the_key_service_does(world):
    # covers: OPS-2, KEY-4
    server = world.it
    before = _metrics(server)
    made = 'keyward_keyd_messages_total{message="tenant_create",outcome="%s"}'
    server.keyward("tenant", "create", "counted", "Counted", "admin@counted.example")
    after = _metrics(server)
    assert after["keyward_keyd_up"] == 1 and after["keyward_database_up"] == 1 and after["keyward_keyd_sealed"] == 0
    assert after[made % "done"] == before[made % "done"] + 1 and after[made % "failed"] == before[made % "failed"]
    assert after[made % "limited"] == 0 and after["keyward_keyd_wraps_total"] > before["keyward_keyd_wraps_total"]
    assert {"keyward_keyd_unwraps_total", "keyward_keyd_seals_total", "keyward_keyd_failures_total"} <= after.keys()
    server.stop("keyd")
    try:
        without = _metrics(server)
        # Of the key service nothing but that it is away; what the database knows is there still.
        assert without["keyward_database_up"] == 1 and [n for n in without if n.startswith("keyward_keyd")] == ["keyward_keyd_up"] and without["keyward_keyd_up"] == 0
        assert without['keyward_health{area="database"}'] == 0 and 'keyward_jobs{state="waiting"}' in without
    finally:
        server.start("keyd")
    assert _metrics(server)["keyward_keyd_up"] == 1


def test_metrics_are_for_whoever_has_the_token(world):
    # covers: OPS-2, SEC-4
    central = Client(world.it, "central")
    a = central.get("/metrics")
    assert a.status == 401 and a.header("www-authenticate") == "Bearer" and "keyward_" not in a.text
    for wrong in (f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer ", f"Basic {TOKEN}", TOKEN):
        assert central.get("/metrics", headers={"Authorization": wrong}).status == 401, wrong
    assert central.send("POST", "/metrics", b"", headers={"Authorization": f"Bearer {TOKEN}"}).status == 405
    for site in ("console", "agents"):
        assert Client(world.it, site).get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status == 404, site
