"""Lists that stand on the page of something else, or are short as a rule: searched, filtered, sorted and turned page by page as all others."""
import csv
import io
import uuid

from inventory import Machine
from world import World, count, run


def rows(c, path, **query):
    """What the list shows for QUERY, in its order."""
    text = "&".join(f"{n}={v}" for n, v in query.items())
    answer = c.api(path + ("?" + text if text else ""))
    assert answer.status == 200, (path, query, answer)
    return answer.json["list"]


def ids(c, path, **query):
    return [r["id"] for r in rows(c, path, **query)["rows"]]


def is_a_list(c, path, all, found, filters, sorts):
    """ALL: ids in the order that nobody has asked for; FOUND: {word: ids}; FILTERS: {(name, value): ids}; SORTS: columns with a link in their heading."""
    assert ids(c, path) == all, path
    for word, those in found.items():
        assert set(ids(c, path, search=word)) == set(those), (path, word)
    for (name, value), those in filters.items():
        assert set(ids(c, path, **{name: value})) == set(those), (path, name, value)
        assert set(ids(c, path, **{name: value}, search="nothing-like-this")) == set()
    nothing = rows(c, path, search="nothing-like-this")
    assert nothing["no_match"] and not nothing["empty"], path
    for sort in sorts:
        up, down = ids(c, path, sort=sort), ids(c, path, sort="-" + sort)
        assert set(up) == set(down) == set(all) and rows(c, path)["sort"][sort]["url"], (path, sort)
    # Page by page, and back.
    page, seen = rows(c, path, limit=1), []
    while True:
        seen += [r["id"] for r in page["rows"]]
        if not page["next"]:
            break
        page = rows(c, page["next"])
    assert seen == all, (path, seen)
    assert not page["previous"] or rows(c, page["previous"])["rows"][0]["id"] == all[-2]
    # As a file: what the page shows, all of it.
    word, those = next(iter(found.items()))
    for query, wanted in (({}, all), ({"search": word}, those)):
        answer = c.get(rows(c, path, **query)["export"])
        assert answer.header("content-type").startswith("text/csv") and len(list(csv.reader(io.StringIO(answer.text)))) == 1 + len(wanted), (path, answer)
    assert c.get(path + "?search=nothing-like-this").text.count("Nothing matches") == 1 and 'type="search"' in c.get(path).text, path


def test_devices_in_every_order(server):
    # covers: DEV-1, WEB-3
    world = World(server)
    c, devices = world.console(), {}
    # No two columns have the same order.
    for name, status, size, policy, image, instance in (("bravo", "encrypted", 3, "Xray", "golf", "sierra"), ("Alpha", "in-use", 2, "Zulu", "hotel", "papa"),
                                                        ("charlie", "configured", 1, "Whisky", "foxtrot", "oscar"), ("delta", "undetected", 4, "Yankee", "echo", "romeo")):
        m = Machine(server, world.tenant, instance)
        document = {"keyward_policy": 1, "name": policy, "description": "x", "action": {"on_match": "manual", "on_mismatch": "deny"}}
        id = c.api("/policies", {"document": document}).json["id"]
        run(server, "update image set name = %s where id = %s", image, m.image)
        run(server, "update device set name = %s, status = %s, size_bytes = %s, policy = %s where id = %s", name, status, size << 30, id, m.device)
        devices[m.device] = dict(name=name.lower(), status=status, size=size, policy=policy, image=image, instance=instance)
    orders = {column: sorted(devices, key=lambda id: devices[id][column]) for column in ("name", "status", "size", "policy", "image", "instance")}
    assert len({tuple(o) for o in orders.values()}) == len(orders)
    for column, wanted in orders.items():
        up, down = ids(c, "/devices", sort=column), ids(c, "/devices", sort="-" + column)
        assert up == wanted and down == wanted[::-1], (column, up, down, wanted)
        # Page by page, and as a file.
        page, seen = rows(c, "/devices", sort=column, limit=1), []
        while page:
            seen += [r["id"] for r in page["rows"]]
            page = rows(c, page["next"]) if page["next"] else None
        assert seen == wanted, column
        text = c.get(rows(c, "/devices", sort=column)["export"]).text
        assert [r[0] for r in csv.reader(io.StringIO(text))][1:] == wanted, (column, text)
        assert rows(c, "/devices")["sort"][column]["url"], column


def test_requests_and_checks_of_an_instance(server):
    # covers: RUN-6, WEB-3
    world = World(server)
    c, m, other = world.console(), Machine(server, world.tenant, "listed-1"), Machine(server, world.tenant, "listed-2")
    new, middle, old = m.request("pending"), m.request("delivered", days_ago=2, closed=True), m.request("denied", days_ago=5, closed=True)
    other.request("pending")
    run(server, "update key_request set mount_point = '/srv/elsewhere' where id = %s", old)
    is_a_list(c, f"/instances/{m.instance}/requests", [new, middle, old], {"listed-1%20data": [new, middle, old], "listed-2": []},
              {("status", "denied"): [old], ("status", "pending"): [new], ("status", "revoked"): []}, ["requested", "status", "integrity", "device", "policy"])
    made = []
    for result, summary, by, hours in (("good", "", "", 1), ("failed", "1 of 2 keys failed", "Ada Andersen", 2), ("not-checked", "The agent did not answer.", "", 3)):
        made.append(str(uuid.uuid4()))
        run(server, "insert into integrity_check (tenant, id, instance, reason, due, answered, result, summary, ordered_by) values (%s, %s, %s, 'order',"
                    " now() - %s * interval '1 hour', now(), %s, %s, %s)", world.tenant, made[-1], m.instance, hours, result, summary, by or None)
    is_a_list(c, f"/instances/{m.instance}/checks", made, {"keys%20failed": [made[1]], "andersen": [made[1]], "did%20not": [made[2]]},
              {("result", "good"): [made[0]], ("result", "not-checked"): [made[2]]}, ["due", "result", "reason", "answered"])
    assert c.api(f"/instances/{m.instance}/checks?result=nonsense").status == 422


def test_deliveries_of_a_webhook(server):
    # covers: NTF-3, WEB-3
    world = World(server)
    c = world.console()
    hook = {"name": "Listed", "url": "https://hooks.example.com/x", "format": "json", "events": ["key-pending"], "ca": "", "enabled": False}
    assert c.api("/webhooks/new", hook).status == 200
    id, made = count(server, "select id from webhook where tenant = %s", world.tenant), []
    for event, state, error, hours in (("key-pending", "delivered", None, 1), ("key-denied", "failed", "Connection refused", 2), ("key-pending", "failed", "Time-out", 3)):
        made.append(str(uuid.uuid4()))
        run(server, "insert into webhook_delivery (tenant, id, webhook, event, body, state, error, created) values (%s, %s, %s, %s, %s, %s, %s,"
                    " now() - %s * interval '1 hour')", world.tenant, made[-1], id, event, '{"about": "disk %d"}' % hours, state, error, hours)
    is_a_list(c, f"/webhooks/{id}", made, {"refused": [made[1]], "disk%203": [made[2]], "key-denied": [made[1]]},
              {("state", "failed"): made[1:], ("state", "delivered"): made[:1]}, ["event", "created", "state", "took"])


def test_tokens_and_codes_of_the_operator(server):
    # covers: LIC-2, LIC-4, WEB-3
    world, mark = World(server), uuid.uuid4().hex[:8]
    c, made = world.central(), []
    for name in ("billing", "metering", "reseller"):
        assert c.api("/api-tokens", {"name": f"{mark} {name}", "scope": "meter", "days": 30}).status == 200
        made.insert(0, count(server, "select id from operator_token where name = %s", f"{mark} {name}"))
    assert c.api(f"/api-tokens/{made[0]}/revoke", {}).status == 200
    # Tokens are the installation's: whatever others have made is not found.
    for query, found in (({}, made[1:] + made[:1]), ({"sort": "-created"}, made), ({"state": "revoked"}, made[:1]), ({"state": "active"}, made[1:]), ({"sort": "name"}, made[::-1])):
        assert ids(c, "/api-tokens", search=mark, **query) == found, query
    listed = c.get(rows(c, "/api-tokens", search=mark)["export"])
    assert f'"{mark} billing","In force","meter"' in listed.text and listed.header("content-disposition") == 'attachment; filename="api-tokens.csv"', listed
    assert rows(c, "/api-tokens", search=mark, limit=2)["next"] and rows(c, "/api-tokens", search=mark + "x")["no_match"]
    # The page that answers a new one has its list too.
    page = c.post("/api-tokens", name=f"{mark} again", scope="meter", days="1")
    assert page.status == 200 and f"{mark} again" in page.text and 'type="search"' in page.text
    path = f"/tenants/{world.tenant}/licences"
    # A word that no address of somebody made for a test has in it, which are hexadecimal.
    for keys, note in ((10, "order R4711"), (20, "order R4712"), (30, "")):
        assert c.api(path, {"kind": "full", "keys": keys, "until": "2099-01-01", "note": note, "assign": keys == 20}).status == 200
    third, second, first = ids(c, path)
    is_a_list(c, path, [third, second, first], {"R4711": [first], "order": [first, second], world.operator.split("@")[0]: [first, second, third]},
              {("state", "in-force"): [second], ("state", "issued"): [first, third]}, ["serial", "state", "kind", "keys", "until", "issued"])
    # What the account itself sees: the trial that it began with, and the one that was put into force.
    held = rows(world.console(), "/licence", search="2")
    assert [r["serial"] for r in held["rows"]] == [2] and len(rows(world.console(), "/licence", sort="keys")["rows"]) == 2
