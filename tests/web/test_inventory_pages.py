"""Images, policies, an instance, roles and the dashboard, against a running installation whose machines stand in the database."""
import csv
import io
import json
import pathlib
import re
import uuid

from fixtures import fixture
from inventory import Machine
from web import database, make_user
from world import World, count, run

HEADER = pathlib.Path(__file__).resolve().parents[2] / "src" / "identity" / "permission.h"
ROLES = ["account-administrator", "security-administrator", "data-analyst", "auditor", "key-approver"]


@fixture("file")
def world(server):
    world = World(server)
    world.machine = Machine(server, world.tenant)
    return world


@fixture("file")
def stranger(server):
    other = World(server)
    other.machine = Machine(server, other.tenant, "foreign-machine")
    return other


def client(server, world, role):
    return world.console(make_user(server, world.tenant, role))


def permission_table():
    """{ name: (label, [allowed per role]) } from the rows themselves."""
    rows = re.findall(r'X\([A-Z_]+, "([a-z.-]+)", "([^"]+)",\s+([01]), ([01]), ([01]), ([01]), ([01])\)', HEADER.read_text())
    return {name: (label, [bit == "1" for bit in bits]) for name, label, *bits in rows}


def test_the_roles_page_is_the_permission_table(server, world):
    # covers: ROL-6, ROL-1, ROL-2, ROL-3, ROL-4, ROL-5
    for role in ("auditor", "auditor", "data-analyst"):
        make_user(server, world.tenant, role)
    c = world.console()
    document = c.api("/roles").json
    shown = {p["id"]: (p["name"], [cell["allowed"] for cell in p["cells"]]) for g in document["groups"] for p in g["permissions"]}
    table = permission_table()
    assert len(table) >= 19 and shown == table
    assert [r["id"] for r in document["roles"]] == ROLES
    for r in document["roles"]:
        assert r["users"] == count(server, "select count(*) from app_user where tenant = %s and role = %s and state <> 'disabled'",
                                   world.tenant, r["id"])
    page = c.get("/roles").text
    assert page.count('class="kw-tick"') == sum(sum(bits) for _, bits in table.values())
    head, *rows = csv.reader(io.StringIO(c.get("/roles?as=csv").text))
    assert head[2:] == [r["name"] for r in document["roles"]]
    assert sorted(rows_of[1:] for rows_of in rows) == sorted([name, *("true" if bit else "false" for bit in bits)] for name, bits in table.values())


def test_image_name_and_description(server, world):
    # covers: IMG-1, LOG-2
    c, m = world.console(), world.machine
    row = c.api("/images").json["list"]["rows"][0]
    assert (row["name"], row["instances"], row["devices"]) == (m.provider_image, 1, 1)
    assert [p["name"] for p in row["policies"]] == [count(server, "select name from policy where id = %s", m.policy)]
    answer = c.post(f"/images/{m.image}", name="", description="x")
    assert answer.status == 422 and 'id="e-name"' in answer.text
    assert c.post(f"/images/{m.image}", name="Golden <image>", description="Two\nlines").status == 303
    page = c.get("/images").text
    assert "Golden &lt;image&gt;" in page and "<image>" not in page
    assert c.api(f"/images/{m.image}").json["form"]["name"]["value"] == "Golden <image>"
    assert count(server, "select count(*) from audit_entry where event = 'image.changed' and object_id = %s", m.image) == 1
    assert [r["id"] for r in c.api("/images?search=golden&sort=-instances").json["list"]["rows"]] == [m.image]
    assert c.api("/images?search=nothing-like-this").json["list"]["no_match"]
    assert "Golden <image>" in c.get("/images.csv").text
    image = c.api(f"/images/{m.image}").json["image"]
    assert (image["devices_url"], image["devices"], image["has_credentials"]) == (f"/devices?image={m.image}", 1, False)
    assert "None are kept here" in c.get(f"/images/{m.image}").text
    assert [r["id"] for r in c.api(image["devices_url"]).json["list"]["rows"]] == [m.device]
    reader = client(server, world, "auditor")
    assert reader.get(f"/images/{m.image}").status == 200
    assert reader.post(f"/images/{m.image}", name="x").status == 403


def test_the_default_policy(server, world):
    # covers: POL-1
    c, m = world.console(), world.machine
    rows = c.api("/policies").json["list"]["rows"]
    assert [(r["id"], r["is_default"], r["rules"]) for r in rows] == [(str(m.policy), True, 0)]
    document = c.api(f"/policies/{m.policy}").json
    assert document["policy"]["mode"]["name"] == "Manual Approve" and not document["has_rules"]
    assert [d["name"] for d in document["devices"]] == [f"{m.name} data"]
    assert len(document["images"]) == 1 and document["policy"]["device_count"] == 1
    page = c.get(f"/policies/{m.policy}").text
    assert "This is the default policy" in page and "<form" not in page.split("<main")[1].split("</main")[0]


def test_without_rules_a_policy_is_shown_as_manual(server, stranger):
    # covers: POL-1, POL-4
    m = stranger.machine
    count(server, "update policy set on_match = 'approve' where id = %s returning id", m.policy)
    document = stranger.console().api(f"/policies/{m.policy}").json
    assert document["policy"]["mode"]["name"] == "Manual Approve"


def test_the_instance_page(server, world):
    # covers: RUN-6
    m = Machine(server, world.tenant, "billing-2")
    old, new = m.request("delivered", 3, closed=True), m.request("pending")
    c = world.console()
    document = c.api(f"/instances/{m.instance}").json
    assert (document["instance"]["name"], document["instance"]["agent"], document["instance"]["state"]["name"]) == (
        "billing-2", "0.1.0", "Running")
    items = [i for g in document["groups"] for i in g["items"]]
    facts = {i["id"]: i["value"] for i in items}
    assert facts["network.addresses"] == "10.20.4.17, 2001:db8::17" and facts["os.uptime_s"] == "2 hours, 5 minutes"
    assert facts["os.bits"] == "64" and "gathered_at" not in facts
    # Every fact says where it is from, and what was not reported is shown as that.
    told = {i["id"]: (i["known"], i["source"], bool(i["at"])) for i in items}
    assert told["os.kernel"] == (True, "Agent", True) and told["request.address"] == (True, "Server", True)
    assert told["os.pending_security_updates"] == (False, "Agent", False) and "Not reported" in c.get(f"/instances/{m.instance}").text
    ports = next(i for i in items if i["id"] == "network.services")
    assert {p["name"]: p["detail"] for p in ports["members"]} == {"tcp/22": "sshd · 0.0.0.0, ::", "tcp/5432": "postgres · 127.0.0.1"}
    packages = next(i for i in items if i["id"] == "packages")
    assert packages["url"] == f"/instances/{m.instance}/facts?fact=packages" and packages["all"] == "Show all (61)"
    device, = document["devices"]
    assert device["url"] == f"/devices/{m.device}" and device["request_url"] == f"/requests/{new}"
    assert device["size"] == "5 GiB" and device["key"]["name"] == "Pending"
    assert [h["url"] for h in document["history"] if h.get("url")] == [f"/requests/{new}", f"/requests/{old}"]
    assert f'action="/instances/{m.instance}/check"' in c.get(f"/instances/{m.instance}").text


def test_long_facts_are_searched_by_page(server, world):
    # covers: RUN-6
    m, c = Machine(server, world.tenant, "billing-3"), world.console()
    first = c.api(f"/instances/{m.instance}/facts?fact=packages").json["list"]
    assert [r["name"] for r in first["rows"][:2]] == ["openssl", "package-000"] and len(first["rows"]) == 25
    second = c.api(first["next"]).json["list"]["rows"]
    assert second[0]["name"] == "package-024" and {r["fact"] for r in second} == {"Packages"}
    found = c.api(f"/instances/{m.instance}/facts?search=postgres").json["list"]["rows"]
    assert [(r["name"], r["detail"], r["fact"]) for r in found] == [("tcp/5432", "postgres · 127.0.0.1", "Listening ports")]
    nothing = c.get(f"/instances/{m.instance}/facts?search=no-such-thing")
    assert "Nothing matches" in nothing.text and c.get(f"/instances/{m.instance}/facts?fact=os.kernel").status == 422


def test_what_changed_requests_and_checks_have_pages(server, world):
    # covers: RUN-6, INT-6
    m, c = Machine(server, world.tenant, "billing-4"), world.console()
    other = Machine(server, world.tenant, "billing-5")
    with database(server).cursor() as cur:
        for n in range(30):
            cur.execute("insert into fact_change (tenant, id, instance, at, fact, subject, kind, old, new) values (%s, %s, %s,"
                        " now() - %s * interval '1 hour', 'packages', %s, 'changed', '\"1\"', '\"2\"')",
                        (world.tenant, str(uuid.uuid4()), m.instance, n, f"package-{n:03}"))
        cur.execute("insert into fact_change (tenant, id, instance, at, fact, kind, old, new) values (%s, %s, %s, now(), 'os.kernel',"
                    " 'changed', '\"6.1\"', '\"6.2\"')", (world.tenant, str(uuid.uuid4()), m.instance))
        cur.execute("insert into integrity_check (tenant, id, instance, reason, result, answered) values (%s, %s, %s, 'schedule',"
                    " 'good', now())", (world.tenant, str(uuid.uuid4()), m.instance))
    changes = c.api(f"/instances/{m.instance}/changes").json["list"]
    assert len(changes["rows"]) == 25 and len(c.api(changes["next"]).json["list"]["rows"]) == 6
    assert [f["title"] for f in changes["filters"]] == ["All", "Kernel", "Packages"]
    kernel, = c.api(f"/instances/{m.instance}/changes?fact=os.kernel").json["list"]["rows"]
    assert (kernel["fact"], kernel["kind"]["name"], kernel["old"], kernel["new"]) == ("Kernel", "Changed", "6.1", "6.2")
    assert len(c.api(f"/instances/{m.instance}/changes?search=package-007").json["list"]["rows"]) == 1
    assert c.api(f"/instances/{other.instance}/changes").json["list"]["empty"]
    old, new = m.request("delivered", 3, closed=True), m.request("pending")
    rows = c.api(f"/instances/{m.instance}/requests").json["list"]["rows"]
    assert [r["id"] for r in rows] == [new, old] and not c.api(f"/instances/{other.instance}/requests").json["list"]["rows"]
    check, = c.api(f"/instances/{m.instance}/checks").json["list"]["rows"]
    assert (check["result"]["name"], check["reason"]) == ("Good", "By schedule")
    for tab in ("facts", "changes", "requests", "checks"):
        page = c.get(f"/instances/{m.instance}/{tab}")
        assert page.status == 200 and 'aria-current="page"' in page.text, tab


def test_check_now_orders_one_check(server, world):
    # covers: RUN-6, LOG-2
    m, c = Machine(server, world.tenant, "checked-1"), world.console()
    for _ in range(2):
        assert c.post(f"/instances/{m.instance}/check").status == 303
    orders = "select count(*) from agent_order where agent = %s and kind = 'check'"
    assert count(server, orders, m.agent) == 1
    assert "Order given to an agent" in c.get(f"/instances/{m.instance}").text
    reader = client(server, world, "auditor")
    assert reader.post(f"/instances/{m.instance}/check").status == 403
    assert f'action="/instances/{m.instance}/check"' not in reader.get(f"/instances/{m.instance}").text
    count(server, "update agent set state = 'removed' where id = %s returning id", m.agent)
    answer = c.post(f"/instances/{m.instance}/check")
    assert answer.status == 409 and "No agent answers" in answer.text
    assert count(server, orders, m.agent) == 1


def test_a_group_that_holds_does_not_contradict_its_rules(server, world):
    # covers: RUN-3, RUL-24
    m, c = Machine(server, world.tenant, "grouped-1"), world.console()
    request = m.request("pending")
    rule = {"condition": "is x", "actual": None, "reason": None, "source": None}
    rows = [dict(rule, rule="Host name", status="passed"), dict(rule, rule="Kernel", status="unknown")]
    verdict = {"rules": [{"join": "any", "rule": "", "status": "passed", "rows": rows},
                         {"join": "none", "rule": "", "status": "passed", "rows": [dict(rule, rule="Zone", status="failed")]}]}
    count(server, "update key_request set verdict = %s, integrity = 'good' where id = %s returning id", json.dumps(verdict), request)
    shown = {(r["name"] or r["join"]): (r["status"]["name"], r["status"]["colour"], r["note"]) for r in c.api(f"/requests/{request}").json["rules"]}
    assert shown["At least one of these (OR)"] == ("Satisfied", "green", "Matching: 1 / 2")
    assert shown["Host name"] == ("Passed", "green", None)
    assert shown["Kernel"] == ("Unknown", "gray", "Not needed: another one matches")
    assert shown["Not the following (NOT)"][0] == "Satisfied" and shown["Zone"] == ("Failed", "gray", "As wanted: this must not match")
    page = c.get(f"/requests/{request}").text
    assert "Not needed: another one matches" in page and "Rules that failed" not in page
    # Beside one that does fail, in a group of its own, the others still are not counted.
    verdict["rules"].append(dict(rule, rule="Access", status="failed"))
    verdict["rules"][0]["rows"].append({"join": "all", "rule": "", "status": "failed", "rows": [dict(rule, rule="Deep", status="failed")]})
    count(server, "update key_request set verdict = %s where id = %s returning id", json.dumps(verdict), request)
    found = c.api(f"/requests/{request}").json
    assert found["counts"]["failed"] == 1 and found["counts"]["unmatched"] == 1, found["counts"]
    assert {r["name"] for r in c.api(f"/requests/{request}?show=failed").json["rules"]} == {"Access"}
    assert {"Kernel", "Zone", "Deep"} <= {r["name"] for r in c.api(f"/requests/{request}?show=info").json["rules"]}


def test_a_count_that_ends_is_a_number_and_a_flag(server):
    # covers: API-1, PERF-2
    world = World(server)
    m, c = Machine(server, world.tenant), world.console()
    count(server, "with more as (insert into instance (tenant, id, provider, provider_instance, host_name) select %s, gen_random_uuid(),"
          " 'native', 'many-' || n, 'many-' || n from generate_series(1, 1000) n returning 1) select count(*) from more", world.tenant)
    totals = c.api("/instances").json["totals"]
    assert (totals["instances"], totals["instances_more"], totals["pending"], totals["pending_more"]) == (1000, True, 0, False)
    assert "<dd>1,000+</dd>" in c.get("/instances").text and "<dd>1,000+</dd>" in c.get("/").text
    count(server, "delete from instance where id = %s returning id", m.instance)
    assert c.api("/").json["totals"]["instances_more"] is False


def test_times_are_the_tenants(server):
    # covers: ADM-1, WEB-1, LOG-1
    world = World(server)
    m = Machine(server, world.tenant)
    count(server, "update instance set first_seen = '2026-01-31T23:30:15Z', last_seen = '2026-07-01T12:00:00Z' where id = %s returning id",
          m.instance)
    shown = {"UTC": ("31 Jan 2026, 23:30:15 UTC", "1 Jul 2026, 12:00:00 UTC"),
             "Europe/Berlin": ("1 Feb 2026, 00:30:15 UTC+1 · 31 Jan 2026, 23:30:15 UTC", "1 Jul 2026, 14:00:00 UTC+2 · 1 Jul 2026, 12:00:00 UTC"),
             "Asia/Kolkata": ("1 Feb 2026, 05:00:15 UTC+5:30 · 31 Jan", "1 Jul 2026, 17:30:00 UTC+5:30 · 1 Jul"),
             "America/St_Johns": ("31 Jan 2026, 20:00:15 UTC-3:30 · 31 Jan", "1 Jul 2026, 09:30:00 UTC-2:30 · 1 Jul")}
    for zone, texts in shown.items():
        count(server, "update tenant set time_zone = %s where id = %s returning id", zone, world.tenant)
        c = world.console()
        page, instance = c.get(f"/instances/{m.instance}").text, c.api(f"/instances/{m.instance}").json["instance"]
        for text, when in zip(texts, (instance["first_seen"], instance["last_seen"])):
            assert f'title="{text}' in page, (zone, text)
            assert when["text"].endswith(" UTC") and when["hover"] is None and when["iso"].endswith("Z"), zone
        assert "UTC+" not in re.sub(r"(?s)<footer.*", "", c.get("/log").text)
        # To the second of the change: Berlin, 29 March 2026, 01:00 UTC.
    count(server, "update tenant set time_zone = 'Europe/Berlin' where id = %s returning id", world.tenant)
    for at, text in (("00:59:59", "01:59:59 UTC+1"), ("01:00:00", "03:00:00 UTC+2")):
        count(server, "update instance set last_seen = %s where id = %s returning id", f"2026-03-29T{at}Z", m.instance)
        assert f"29 Mar 2026, {text} ·" in world.console().get(f"/instances/{m.instance}").text


def test_empty_lists_say_what_to_do(server):
    # covers: IMG-1, DEV-1, RUN-1, WEB-3, TEN-1
    world = World(server)
    c = world.console()
    for path in ("/instances", "/devices", "/images"):
        page = c.get(path).text
        assert "keyward-config --url https://" in page and f"--guid {world.tenant} --register" in page, path
        assert "Set a provisioning passphrase first" in page and "--passphrase" not in page, path
        assert c.api(path + "?search=nothing-like-this").json["commands"] is None, path
    assert c.post("/account/passphrase", passphrase="Lantern and harbour 47").status == 303
    page = c.get("/devices").text
    assert "It is shown under Account" in page and "Set a provisioning passphrase first" not in page
    approver = client(server, world, "key-approver")
    assert "keyward-config" not in approver.get("/devices").text
    Machine(server, world.tenant)
    page = c.get("/instances").text
    assert "No key requests yet" in page and "No running instances" not in page and "keyward-config" not in page
    assert "keyward-config" not in c.get("/devices").text and "keyward-config" not in c.get("/images").text


def test_the_dashboard_counts(server):
    # covers: WEB-2, RUN-1
    world = World(server)
    c = world.console()
    empty = c.api("/").json
    assert not any(empty["totals"].pop(name) for name in list(empty["totals"]) if name.endswith("_more"))
    assert empty["totals"] == {"instances": 0, "pending": 0, "approved": 0, "encrypted": 0, "devices": 0}
    assert empty["chart"]["empty"]
    page = c.get("/").text
    assert not empty["has_requests"] and "First steps" in page and "keyward-config" in page and "<figure" not in page
    assert [(s["done"], s["next"]) for s in empty["steps"]["list"]] == [(False, True), (False, False), (False, False), (False, False)]
    m = Machine(server, world.tenant)
    run(server, "update device set status = 'not-configured' where id = %s", m.device)
    steps = c.api("/").json
    assert [s["done"] for s in steps["steps"]["list"]] == [True, False, False, False] and steps["commands"] is None
    assert [s["url"] for s in steps["steps"]["list"]] == [None, "/devices", None, None]
    assert all(s["url"] is None for s in client(server, world, "auditor").api("/").json["steps"]["list"])
    run(server, "update device set status = 'in-use' where id = %s", m.device)
    person = count(server, "select id from app_user where email = %s", world.user)
    m.request("delivered", 40, closed=True)
    m.request("delivered", 2, closed=True)
    m.request("delivered", 2, closed=True, decided_by=person)
    m.request("revoked", 1, closed=True, decided_by=person)
    m.request("denied", 0, closed=True, decided_by=person)
    m.request("pending")
    document = c.api("/").json
    assert document["steps"] is None and "First steps" not in c.get("/").text
    totals = {name: n for name, n in document["totals"].items() if not name.endswith("_more")}
    assert totals == {"instances": 1, "pending": 1, "approved": 0, "encrypted": 1, "devices": 1}
    assert document["chart"]["summary"].endswith("Approved by policy 1, Approved by a person 2, Denied 1, Pending 1.")
    assert not document["chart"]["empty"]
    assert [r["state"] for r in document["requests"]] == ["pending"]
    page = c.get("/").text
    figure = page[page.index('<figure class="kw-chart'):page.index("</figure>")]
    drawings = figure.split("<svg ")[1:]
    assert [d.split('"')[1] for d in drawings] == ["kw-wide", "kw-slim"]
    for drawing in drawings:
        bars = re.findall(r'<rect class="kw-series-(\d)" x="([\d.]+)" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"', drawing)
        assert sorted(b[0] for b in bars) == ["1", "1", "2", "3", "4"]
        # The parts of one day stand on each other, the last on the axis, none above the top.
        for x in {b[1] for b in bars}:
            column = sorted(((float(y), float(h)) for _, at, y, h in bars if at == x), reverse=True)
            assert abs(sum(column[0]) - 196) < 0.2 and column[-1][0] >= 8
            assert all(abs(below[0] - sum(above) - 1) < 0.2 for below, above in zip(column, column[1:]))


def test_the_chart_follows_the_tenants_days(server):
    # covers: WEB-2
    world = World(server)
    m = Machine(server, world.tenant)
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):     # 25 hours apart
        count(server, "update tenant set time_zone = %s where id = %s returning id", zone, world.tenant)
        day = "select to_char(now() at time zone %s, 'FMDD Mon')"
        before, period, after = count(server, day, zone), world.console().api("/").json["chart"]["period"], count(server, day, zone)
        assert period.endswith((f" to {before}", f" to {after}")), (period, before, after)


def test_another_tenants_things_are_not_there(server, world, stranger):
    # covers: TEN-4
    c, m = world.console(), stranger.machine
    pages = [("images", m.image), ("policies", m.policy), ("instances", m.instance)]
    for folder, foreign in pages:
        bodies = []
        for id in (foreign, uuid.uuid4()):
            answers = [c.get(f"/{folder}/{id}"), c.api(f"/{folder}/{id}")]
            if folder == "images":
                answers.append(c.post(f"/images/{id}", name="taken over"))
            if folder == "instances":
                answers.append(c.post(f"/instances/{id}/check"))
            assert {a.status for a in answers} == {404}, (folder, answers)
            # What is around a page, its bell and its counts, has nothing to do with what was asked for, and goes on meanwhile.
            parts = [re.search(r"<main.*</main>|^\{.*", a.text, re.S)[0] for a in answers]
            bodies.append([re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d\d:\d\d:\d\d", "X", part) for part in parts])
        assert bodies[0] == bodies[1], folder
    assert "foreign-machine" not in c.get("/").text and m.provider_image not in c.get("/images.csv").text
    assert count(server, "select name from image where id = %s", m.image) == ""
    assert count(server, "select count(*) from agent_order where agent = %s", m.agent) == 0


def propose(server, world, device, overwrite=False):
    count(server, "insert into device_proposal (tenant, device, instance, name, os, filesystem, mount_point, access, mode, key_bits, overwrite)"
          " select tenant, id, instance, 'Proposed', 'linux', 'xfs', '/srv/p', 'read-write', 'xts-plain64', 256, %s from device"
          " where id = %s returning 1", overwrite, device)


def test_proposals_of_a_machine_are_accepted_or_rejected(server, world):
    # covers: CFG-2, DEV-3, LOG-2
    m, c = Machine(server, world.tenant, "proposes-1"), world.console()
    device, full = m.disk("empty-1"), m.disk("full-1", found_filesystem="ext4")
    assert c.api(f"/devices/{device}").json["proposal"] is None
    propose(server, world, device)
    propose(server, world, full, True)
    assert "xfs, /srv/p" in c.get(f"/devices/{device}").text
    reader = client(server, world, "auditor")
    assert "xfs, /srv/p" in reader.get(f"/devices/{device}").text
    assert reader.post(f"/devices/{device}/proposal", typed="").status == 403
    assert c.post(f"/devices/{device}/proposal", typed="").status == 303
    row = count(server, "select row_to_json(d) from device d where id = %s", device)
    assert (row["status"], row["name"], row["filesystem"], row["mount_point"]) == ("encryption-pending", "Proposed", "xfs", "/srv/p")
    assert c.api(f"/devices/{device}").json["proposal"] is None
    # What is on a device goes only after its name was typed, whatever the machine says.
    assert c.post(f"/devices/{full}/proposal", typed="full").status == 422
    assert c.post(f"/devices/{full}/proposal/reject").status == 303
    assert count(server, "select status from device where id = %s", full) == "not-configured"
    assert c.post(f"/devices/{full}/proposal", typed="full-1").status == 404
    assert count(server, "select count(*) from audit_entry where event = 'device.proposal-rejected' and object_id = %s", full) == 1
    propose(server, world, full, True)
    assert c.post(f"/devices/{full}/proposal", typed="full-1").status == 303
    assert count(server, "select overwrite from device where id = %s", full) is True


def test_what_machines_may_propose_is_the_accounts_choice(server, world):
    # covers: CFG-2, LOG-2
    c = world.console()
    assert c.api("/account").json["form"]["proposals"]["value"] == "empty"
    assert c.post("/account/proposals", proposals="ask").status == 303
    assert c.api("/account").json["form"]["proposals"]["value"] == "ask"
    assert count(server, "select settings ->> 'guest_proposals' from tenant where id = %s", world.tenant) == "ask"
    assert c.post("/account/proposals", proposals="everything").status == 422
    assert client(server, world, "auditor").post("/account/proposals", proposals="refuse").status == 403


def test_cancelling_an_encryption_that_waits(server, world):
    # covers: DEV-2
    m, c = Machine(server, world.tenant, "waiting-1"), world.console()
    assert "Cancel encryption" not in c.get(f"/devices/{m.device}").text
    count(server, "update device set status = 'encryption-pending' where id = %s returning id", m.device)
    assert f'action="/devices/{m.device}/cancel"' in c.get(f"/devices/{m.device}").text
    assert c.post(f"/devices/{m.device}/cancel").status == 303
    assert count(server, "select status from device where id = %s", m.device) == "configured"
