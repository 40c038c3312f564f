"""The page Integrity of an account: when machines are checked, how long a revoked key comes back; and the account's clock, on page Account."""
import datetime
import zoneinfo

from web import Client, make_tenant, make_user

GOOD = {"kind": "weekly", "weekday": "3", "at": "23:45", "regrant_hours": 48}
CLOCK = {"time_zone": "America/New_York"}


def person(server, role="account-administrator"):
    slug, tenant = make_tenant(server)
    c = Client(server, "console")
    assert c.sign_in(make_user(server, tenant, role), account=slug).status == 303
    return c


def test_schedule_is_kept_and_computed(server):
    # covers: INT-1, ADM-1
    c = person(server)
    a = c.api("/account/integrity").json
    assert a["form"]["kind"]["value"] == "daily" and a["run"]["zone"] == "UTC" and a["run"]["next"], a
    assert c.api("/account/integrity", GOOD).status == c.api("/account/clock", CLOCK).status == 200
    a = c.api("/account/integrity").json
    for name, value in GOOD.items():
        assert str(a["form"][name]["value"]) == str(value), (name, a["form"][name])
    due = datetime.datetime.fromisoformat(a["run"]["next"]["iso"].replace("Z", "+00:00"))
    local = due.astimezone(zoneinfo.ZoneInfo("America/New_York"))
    assert (local.isoweekday(), local.hour, local.minute) == (3, 23, 45), local
    now = datetime.datetime.now(datetime.timezone.utc)
    assert now < due < now + datetime.timedelta(days=7, hours=2)
    assert a["run"]["local"] == local.strftime("%Y-%m-%d 23:45 (America/New_York)"), a["run"]
    page = c.get("/account/integrity")
    assert page.status == 200 and "time zone, America/New_York." in page.text
    assert '<option value="America/New_York" selected' in c.get("/account").text
    # How days are written is the account's too: on all pages, never in the API; what is not given stays.
    assert c.api("/account").json["form"]["date_format"]["value"] == c.api("/account").json["account"]["date_format"] == "usual"
    assert c.api("/account/clock", dict(CLOCK, date_format="MM/DD/YYYY")).status == c.api("/account/clock", CLOCK).status == 200
    page = c.get("/account/integrity").text
    assert local.strftime("%m/%d/%Y 23:45 (America/New_York)") in page and local.strftime("%m/%d/%Y, 23:45:00 UTC") in page, page
    assert ">11/28/2026<" in c.get("/account").text and now.strftime("%m/%d/%Y, ") in c.get("/log").text
    again = c.api("/account/integrity").json
    assert again["run"] == a["run"] | {"next": again["run"]["next"]}, again
    assert a["run"]["next"]["text"] == again["run"]["next"]["text"] and c.api("/account").json["account"]["date_format"] == "MM/DD/YYYY"
    changed = [e for e in c.api("/log?limit=50").json["list"]["rows"] if e["name"] == "account.changed"]
    assert len(changed) == 2 and "Date format" in c.get("/log").text, changed
    assert c.api("/account/clock", dict(CLOCK, date_format="YY")).status == 422
    assert c.api("/account/clock", dict(CLOCK, date_format="usual")).status == 200 and "28 Nov 2026 on pages" in c.get("/account").text
    assert c.api("/account/integrity", dict(GOOD, kind="off")).status == 200
    assert c.api("/account/integrity").json["run"]["next"] is None
    entries = [e["name"] for e in c.api("/log?limit=50").json["list"]["rows"]]
    assert entries.count("integrity.schedule") == 2, entries


def test_what_is_refused(server):
    # covers: INT-1, WEB-3
    c = person(server)
    for name, value in (("at", "25:00"), ("at", "12:60"), ("at", "1:00"), ("at", "noon"), ("at", "12-30"), ("regrant_hours", -1), ("regrant_hours", 100000), ("kind", "hourly"), ("weekday", "8")):
        a = c.api("/account/integrity", dict(GOOD, **{name: value}))
        assert a.status == 422 and name in a.text, (name, value, a)
    assert c.api("/account/integrity").json["form"]["kind"]["value"] == "daily"
    for zone in ("Mars/Base", "UTC'; --"):
        a = c.post("/account/clock", time_zone=zone)
        assert a.status == 422 and "There is no such time zone" in a.text, a


def test_who_may(server):
    # covers: INT-1, ROL-2, ROL-4, ROL-5
    for role, status in (("security-administrator", 200), ("auditor", 200), ("key-approver", 403), ("data-analyst", 403)):
        c = person(server, role)
        assert c.get("/account/integrity").status == status, role
        assert c.api("/account/integrity", GOOD).status == c.api("/account/clock", CLOCK).status == 403, role
