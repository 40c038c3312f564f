"""Documents that the consoles take, where a test needs one more of something: rules of policies, the template of a report."""


def rule(type, operator, value):
    return {"type": type, "conditions": [{"operator": operator, "value": value}]}


LINUX = rule("os.system", "equals", "linux")
PATCHED = rule("os.pending_security_updates", "equals", 0)
FRANKFURT = rule("instance.region", "equals", "eu-central-1")
QUIET = rule("network.services", "contains", ["tcp/22"])
REPORT = {"name": "Keys of the month", "criteria": ["approved"], "period": "last-month", "formats": ["pdf"], "schedule": "monthly", "weekday": "1",
          "monthday": "1", "at": "06:00", "keep_days": "30", "recipients": ""}
