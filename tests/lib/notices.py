"""For tests of what people are told: entries of the log as the server's own processes write them, and the form of a group."""
import json

from stack.process import wait_until
from web import database
from world import count

SECONDS = 180
FORM = {"name": "On duty", "description": "night shift", "enabled": "1", "recipients": "Duty@example.net; second@example.net", "events": ["key-pending"],
        "frequency": "at-once", "at": "08:00", "subject": "{{event}}: {{device}}", "header": "In {{account}}, {{count}}:",
        "content": "{{event}}\nDevice: {{device}}\nPolicy: {{policy}}\n{{link}}", "footer": "of {{account}}"}


def log(server, tenant, event, kind=None, object=None, name=None, **detail):
    """An entry as the server's own processes write it."""
    with database(server).cursor() as c:
        c.execute("select set_config('keyward.tenant', %s, false), audit_append('key', %s, 'system', null, 'jobd', %s, %s, %s, %s, null, null)",
                  (str(tenant or ""), event, kind, object, name, json.dumps(detail) if detail else None))


def noticed(server, tenant):
    """Whatever the log has is a notice by now."""
    done = "select coalesce((select c.seq from notice_cursor c where c.tenant = h.tenant), 0) >= h.seq from audit_head h where h.tenant = %s"
    wait_until(lambda: count(server, done, tenant), SECONDS, "the log is not read")


def told(server, tenant, *events):
    """What was driven for real is a notice by now: of TENANT, None: of the installation. test_notifications.py asks for a call with each event."""
    ask = "select coalesce(array_agg(distinct e), '{}') from notice n, unnest(n.events) e where n.tenant = coalesce(%s::uuid, '00000000-0000-0000-0000-000000000000')"
    wait_until(lambda: set(events) <= set(count(server, ask, tenant)), SECONDS, f"nobody is told: {', '.join(events)}")
