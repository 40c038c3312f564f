"""What the consoles say while a part of the installation is away; with an installation of its own, since it stops parts."""
import shutil

from fixtures import fixture, scratch
from stack.installation import Installation, free_port
from world import World


@fixture("file")
def world():
    shutil.rmtree(scratch() / "outage", ignore_errors=True)
    with Installation(scratch() / "outage", "sanitize", free_port()) as it:
        it.prepare()
        it.start()
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
        a = c.api("/sessions")
        assert a.status == 503 and a.json["code"] == "unavailable"
    finally:
        server.start("database")
    assert c.get("/sessions").status == 200 and c.get("/readyz").status == 200


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
