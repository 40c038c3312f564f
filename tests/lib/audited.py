"""What the logs of a run's installations hold, and whether that is as LOG-2 has it: every event of src/store/audit.h was driven through the real
processes, and each entry says who did it, to what, from where and by which request, and what was before and after.

Also that no two transactions waited for each other until PostgreSQL ended one of them: what is sent again after that is done all the same, so
only the database's own log shows it.

An installation's log is summed up when the installation ends (keep); the runner judges all of them at its own end (problems). Entries that tests
write by themselves, as the superuser, count for nothing."""
import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What the processes sign in as; the administrator's command too.
OURS = ("keyward_central", "keyward_console", "keyward_agent", "keyward_jobs")
PEOPLE = ("user", "operator")
OUTSIDE = (*PEOPLE, "agent", "anonymous")        # who comes by a request
SUMMARY = """select event, actor_kind, array_agg(distinct category) as categories, count(*) as entries,
    count(*) filter (where coalesce(actor_name, '') = '') as unnamed, count(*) filter (where actor_id is null) as without_actor,
    count(*) filter (where coalesce(object_kind, '') = '') as without_object,
    count(*) filter (where object_kind is not null and object_id is null and coalesce(object_name, '') = '') as unclear_object,
    count(*) filter (where coalesce(address, '') = '') as without_address, count(*) filter (where coalesce(request, '') = '') as without_request,
    count(*) filter (where detail -> 'changes' is null) as without_changes,
    count(*) filter (where json_typeof(detail -> 'changes') <> 'object' or exists (select 1 from json_each(case when json_typeof(detail -> 'changes') = 'object'
        then detail -> 'changes' end) c where json_typeof(c.value) <> 'object' or not (c.value::jsonb ?& array['old', 'new']))) as half_changes
    from audit_entry where written_by = any (%s) and actor_name <> all (%s) is not false group by event, actor_kind"""
# tests/agent/console_tool.c: the store's functions without a console; test_taken_over.py: a web worker that somebody has taken over.
NO_CONSOLE = ("test@example.test", "x")

# About the account as a whole, or the installation: there is no other object.
OF_ALL = {"account.changed", "passphrase.shown", "passphrase.set", "integrity.schedule", "integrity.run", "key-server.changed", "key-server.removed",
          "key-server.away", "key-server.back", "key-place.changed", "sso.key", "sso.key-next", "sso.key-used", "sso.key-removed", "sso.removed", "sso.provider", "sso.changed", "sso.refused", "sso.signed-out",
          "tenant-key.rotate", "tenant-key.rotated", "key.rotate-many", "key.age", "key.destroy-rule", "directory.changed", "deep-security.changed",
          "log.altered", "report.storage", "log-forward.changed", "log-forward.removed", "log-forward.away", "log-forward.back", "log-forward.lost", "setup.done", "setup.refused",
          "licence.warning"}
# What they change is in words of their own, not in the values before and after.
OWN_WORDS = {"log-forward.changed", "key-server.changed",    # all of it at first
             "setting.changed", "password.changed", "webhook.changed", "directory.changed"}       # of a secret only that it was changed


# Of every entry and of its changes.
MEMBERS = """select distinct event, name from (
    select event, json_object_keys(detail) as name from audit_entry where json_typeof(detail) = 'object' and written_by = any (%s) and actor_name <> all (%s) is not false
    union all select event, json_object_keys(detail -> 'changes') from audit_entry where json_typeof(detail -> 'changes') = 'object' and written_by = any (%s)
        and actor_name <> all (%s) is not false) n where name <> 'changes' order by 1, 2"""


def called():
    """The names of details that pages have words for."""
    text = (ROOT / "src" / "notice" / "entry.c").read_text()
    return set(re.findall(r'\{ "([a-z0-9_]+)", "', text))


def events():
    """{name: category} of the table of events."""
    text = (ROOT / "src" / "store" / "audit.h").read_text()
    categories = dict(re.findall(r'^\tX\(([A-Z]+), "([a-z]+)", "[^"]+", [01]\)', text, re.M))
    return {name: categories[category] for name, category in re.findall(r'^\tX\([A-Z_]+, "([a-z-]+\.[a-z-]+)", ([A-Z]+), ', text, re.M)}


def _folder(scratch):
    return pathlib.Path(scratch) / "audited"


def clear(scratch):
    for file in _folder(scratch).glob("*.json"):
        file.unlink()


def keep(installation, scratch):
    """Sums up the log of an INSTALLATION that is about to end; of one whose database does not run, nothing."""
    import psycopg2
    import psycopg2.extras
    if not installation.alive("database"):
        return
    c = psycopg2.connect(installation.database.conninfo("postgres"), cursor_factory=psycopg2.extras.RealDictCursor)
    try:
        with c.cursor() as q:
            q.execute(SUMMARY, (list(OURS), list(NO_CONSOLE)))
            rows = [dict(r) for r in q.fetchall()]
            q.execute(MEMBERS, (list(OURS), list(NO_CONSOLE)) * 2)
            members = [dict(r) for r in q.fetchall()]
    finally:
        c.close()
    found = deadlocks_in((installation.state / "log" / "database.log").read_text(errors="replace"))
    _folder(scratch).mkdir(exist_ok=True)
    (_folder(scratch) / f"{installation.state.name}-{installation.port}.json").write_text(
        json.dumps({"rows": rows, "members": members, "deadlocks": found}))


def deadlocks_in(log):
    """Of each: which statements it was about, in one line."""
    out = []
    for part in log.split("deadlock detected\n")[1:]:
        out.append(" / ".join(re.findall(r"^\tProcess \d+: (.{,300})", part.split("ERROR: ")[0], re.M)) or part[:300])
    return out


def wrong_with(row, known):
    """What is wrong with a line of the summary, in words."""
    event, kind = row["event"], row["actor_kind"]
    rules = (
        (event not in known, "is not in the table of events"),
        (event in known and row["categories"] != [known[event]], f"has the category {row['categories']}, not {known.get(event)}"),
        (kind in (*PEOPLE, "system") and row["unnamed"], "does not say who did it"),
        (kind in (*PEOPLE, "agent") and row["without_actor"], "does not say whose account did it"),
        (row["without_object"] and event not in OF_ALL, "does not say to what"),
        (row["unclear_object"] and event not in OF_ALL, "has an object without id and name"),
        (kind in OUTSIDE and row["without_address"], "does not say from where"),
        (kind in OUTSIDE and row["without_request"], "does not say by which request"),
        (event.endswith("changed") and event not in OWN_WORDS and row["without_changes"], "does not say what was before and after"),
        (row["half_changes"], "has a change without the value before or after"),
    )
    return [text for broken, text in rules if broken]


def kept_of(scratch):
    return [json.loads(file.read_text()) for file in sorted(_folder(scratch).glob("*.json"))]


def deadlocks(scratch):
    return [d for k in kept_of(scratch) for d in k["deadlocks"]]


def problems(scratch, whole):
    """Lines that say what is wrong; None where no installation has ended. WHOLE: all tests ran, so every event must have been driven."""
    kept = kept_of(scratch)
    rows = [r for k in kept for r in k["rows"]]
    if not rows:
        return None
    known = events()
    out = sorted({f"{r['event']} by {r['actor_kind']}: {text}" for r in rows for text in wrong_with(r, known)})
    out += sorted({f"{m['event']}: pages have no word for its \"{m['name']}\" (src/notice/entry.c)" for k in kept for m in k["members"]
                   if m["event"] in known and m["name"] not in called()})
    if whole:
        out += [f"{name}: no test drives it" for name in known if name not in {r["event"] for r in rows}]
    return out
