-- What only servers of before called while they were being replaced, most of it with the owner's rights, goes: each is one thing less that a web
-- server that is taken over could ask. What is replaced from here on stays for one release, as its servers run beside the next one's (OPS-4).
RESET ROLE;
DROP FUNCTION key_release(uuid, uuid);
DROP FUNCTION key_fetch(uuid, uuid);
SET ROLE keyward_owner;
DROP FUNCTION key_deliver(uuid, uuid, bigint, boolean, text, uuid, text, text, json, text, text);
DROP FUNCTION key_delivered(uuid, bigint, boolean, text, uuid, text, text, json, text, text);
DROP FUNCTION audit_found(text, timestamptz, timestamptz, int);
DROP FUNCTION audit_search_until();
DROP FUNCTION audit_due(interval, timestamptz);
DROP FUNCTION audit_months_drop(timestamptz);
DROP FUNCTION isolate_notice(regclass);
