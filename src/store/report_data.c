/* report_data.c - the criteria. What has happened comes from the log, which outlives machines, devices and policies; what is there from
 * the inventory. The operator's are read as keyward_summaries, which has a right to nothing else. */
#include "store/report_data.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/say.h"

/* What the statements below say in columns and names that are said, for the catalogues. */
__attribute__((unused)) static const char *const said[] = {
	N_("signed in"), N_("signed out"), N_("locked"), N_("failed"), N_("approved"), N_("approved automatically"), N_("denied"), N_("denied automatically"),
	N_("closed undecided"), N_("pending"), N_("read-only"), N_("read-write"), N_("revoked"), N_("closed"), N_("may still"), N_("created"), N_("changed"),
	N_("deleted"), N_("images"), N_("devices"), N_("not-configured"), N_("configured"), N_("encryption-pending"), N_("encrypting"), N_("encrypted"),
	N_("in-use"), N_("decrypting"), N_("encryption-error"), N_("undetected"), N_("device-missing"), N_("running"), N_("stopped"), N_("missing"),
	N_("active"), N_("suspended"), N_("closing"), N_("none"), N_("expired"), N_("no key left"), N_("near its limit"), N_("near its end"), N_("well"),
	N_("full"), N_("trial"), N_("does not answer"), N_("silent"), N_("runs"), N_("in trouble"), N_("away"), N_("started"), N_("well again"),
	N_("not finished"), N_("made"), N_("exported"), "Under 1 minute", N_("1 to 5 minutes"), N_("5 to 30 minutes"), N_("30 minutes to 2 hours"),
	N_("2 to 8 hours"), N_("8 to 24 hours"), "Over a day",
	N_("policy"), N_("(removed)"), N_("unknown"), N_("server"), N_("key server"),
	"Web worker", "Job process", "Key service", "Sign-on service",
};

#define IN_PERIOD "e.at >= $1 and e.at < $2"
#define COLUMNS(...) (const struct column[]) { __VA_ARGS__, { NULL, COLUMN_TEXT, 0 } }

/* One column of a chart per hour, day or month of the period, also where nothing happened. COUNTS: of entries e. */
#define ALONG_TIME(from, counts, sums) \
	"with c as (select date_trunc($4, e.at at time zone $3) as b, " counts " from " from " and " IN_PERIOD " group by 1)," \
	" b as (select generate_series(date_trunc($4, $1 at time zone $3), ($2 at time zone $3) - interval '1 second', ('1 ' || $4)::interval) as b)" \
	" select to_char(b.b, case $4 when 'hour' then 'HH24:MI' when 'day' then 'DD Mon' else 'Mon YYYY' end), " sums \
	" from b left join c on c.b = b.b order by b.b limit 400"
#define ONE(n) "coalesce(c.n" #n ", 0)"
#define COUNT_IF(n, condition) "count(*) filter (where " condition ") as n" #n

/* The entry with which the request of entry e began: who asked, and when. */
#define ASKED "left join lateral (select q.at, q.actor_name, q.detail from audit_entry q where q.object_id = e.object_id" \
	" and q.event = 'key.requested' order by q.seq limit 1) q on true"
#define KEY_EVENTS(events) "audit_entry e " ASKED " where e.event in (" events ")"
#define BY "case e.actor_kind when 'user' then coalesce(e.actor_name, '') else 'policy' end"
#define APPROVED "'key.approved', 'key.approved-automatically'"
#define DENIED "'key.denied', 'key.denied-automatically'"

#define OF_A_KEYS_LIFE "e.category = 'key' and (e.event like 'key.rotat%' or e.event like 'key.reencrypt%' or e.event like 'key.export%'" \
	" or e.event like 'key.destroy%' or e.event like 'tenant-key.%' or e.event in ('key.created', 'key.copied', 'key.revoked'))"
#define EXPORT_FAILED "exists (select from audit_entry f where f.event = 'key.export-failed' and f.object_id = (e.detail->>'export')::uuid)"
#define POLICY_CHANGES "e.event in ('policy.created', 'policy.changed', 'policy.deleted', 'policy.images', 'policy.devices')"
#define BY_PERSON(more) "select e.actor_name, count(*) filter (where e.event in ('key.approved', 'key.voted'))," \
	" count(*) filter (where e.event = 'key.denied')" more " from audit_entry e where e.event in ('key.approved', 'key.voted', 'key.denied')" \
	" and e.actor_kind = 'user' and " IN_PERIOD " group by e.actor_id, e.actor_name order by 2 desc, 1"

#define SIGN_INS \
	COLUMNS({ "When", COLUMN_TIME, 14 }, { "User", COLUMN_TEXT, 26 }, { "What", COLUMN_TEXT, 20, COLUMN_WORD }, { "Address", COLUMN_TEXT, 18 }), \
	"select e.at, coalesce(e.object_name, e.actor_name), case e.event when 'user.signed-in' then 'signed in' when 'user.locked' then 'locked'" \
	" when 'user.signed-out' then 'signed out' else 'failed' end, e.address from audit_entry e where e.event in ('user.signed-in'," \
	" 'user.sign-in-failed', 'user.locked', 'user.signed-out') and " IN_PERIOD " order by e.at, e.seq", \
	ALONG_TIME("audit_entry e where e.event in ('user.signed-in', 'user.sign-in-failed')", COUNT_IF(1, "e.event = 'user.signed-in'") ", " \
		COUNT_IF(2, "e.event <> 'user.signed-in'"), ONE(1) ", " ONE(2)), 0, { "Signed in", "Failed" }, { 2, 3 }

static const char wait_chart[] =
	"with w as (select e.at - q.at as t from " KEY_EVENTS("'key.approved'") " and e.actor_kind = 'user' and " IN_PERIOD ")"
	" select s.name, (select count(*) from w where w.t >= s.lo and w.t < s.hi) from (values (1, 'Under 1 minute', interval '0', interval '1 min'),"
	" (2, '1 to 5 minutes', '1 min', '5 min'), (3, '5 to 30 minutes', '5 min', '30 min'), (4, '30 minutes to 2 hours', '30 min', '2 hours'),"
	" (5, '2 to 8 hours', '2 hours', '8 hours'), (6, '8 to 24 hours', '8 hours', '24 hours'), (7, 'Over a day', '24 hours', '100 years'))"
	" as s (n, name, lo, hi) order by s.n";

/* An agent runs from one heartbeat to the next when they are not further apart than five minutes. */
#define RUN_TIME "with beats as (select h.agent, h.at, h.at - lag(h.at) over (partition by h.agent order by h.at) as gap from heartbeat h" \
	" where h.at >= $1 and h.at < $2), runs as (select coalesce(nullif(i.host_name, ''), i.provider_instance, '(removed)') as name, i.provider," \
	" m.name as image, min(b.at) as first, max(b.at) as last, sum(b.gap) filter (where b.gap <= interval '5 minutes') as ran from beats b" \
	" left join agent a on a.tenant = current_tenant() and a.id = b.agent left join instance i on i.tenant = a.tenant and i.id = a.instance" \
	" left join image m on m.tenant = i.tenant and m.id = i.image group by i.id, i.host_name, i.provider_instance, i.provider, m.name)"

/* A key that was delivered could be used until it was revoked or its request was closed. */
#define COULD_READ "select e.at, x.until, e.object_name, coalesce(q.actor_name, ''), coalesce(q.detail->>'access', '')," \
	" coalesce(d.by, ''), coalesce(x.how, 'may still') from audit_entry e " ASKED \
	" left join lateral (select case a.actor_kind when 'user' then a.actor_name else 'policy' end as by from audit_entry a" \
	" where a.object_id = e.object_id and a.event in (" APPROVED ") and a.seq < e.seq order by a.seq desc limit 1) d on true" \
	" left join lateral (select x.at as until, case x.event when 'key.revoked' then 'revoked' else 'closed' end as how from audit_entry x" \
	" where x.object_id = e.object_id and x.event in ('key.revoked', 'key.closed') and x.seq > e.seq order by x.seq limit 1) x on true" \
	" where e.event = 'key.delivered' and e.at < $2 and (x.until is null or x.until >= $1) order by e.at, e.seq"

static const struct report_criterion of_tenants[] = {
	{ "requests", "Keys", "Keys requested", "Every request for a key, from which machine, and what became of it.", NULL, 0,
		COLUMNS({ "Requested", COLUMN_TIME, 14 }, { "Device", COLUMN_TEXT, 18 }, { "Instance", COLUMN_TEXT, 18 }, { "Access", COLUMN_TEXT, 9, COLUMN_WORD },
			{ "Mount point", COLUMN_TEXT, 12 }, { "Outcome", COLUMN_TEXT, 18, COLUMN_WORD }, { "Decided", COLUMN_TIME, 14 }, { "By", COLUMN_TEXT, 24, COLUMN_WORD }),
		"select e.at, e.object_name, e.actor_name, e.detail->>'access', e.detail->>'mount_point', case o.event when 'key.approved' then 'approved'"
		" when 'key.approved-automatically' then 'approved automatically' when 'key.denied' then 'denied' when 'key.denied-automatically' then"
		" 'denied automatically' when 'key.closed' then 'closed undecided' else 'pending' end, o.at, case when o.actor_kind = 'user' then o.actor_name"
		" when o.event is not null then 'policy' end from audit_entry e left join lateral (select x.event, x.at, x.actor_kind, x.actor_name from"
		" audit_entry x where x.object_id = e.object_id and x.event in (" APPROVED ", " DENIED ", 'key.closed') order by x.seq limit 1) o on true"
		" where e.event = 'key.requested' and " IN_PERIOD " order by e.at, e.seq",
		ALONG_TIME("audit_entry e where e.event = 'key.requested'", "count(*) as n1", ONE(1)), 0, { "Requested" }, { 1 } },
	{ "approved", "Keys", "Keys approved", "Every approval, by a person or by a policy.", NULL, 0,
		COLUMNS({ "Approved", COLUMN_TIME, 14 }, { "Device", COLUMN_TEXT, 20 }, { "Instance", COLUMN_TEXT, 20 }, { "By", COLUMN_TEXT, 18, COLUMN_WORD },
			{ "Address", COLUMN_TEXT, 14 }, { "Comment", COLUMN_TEXT, 30, COLUMN_COMMENT }),
		"select e.at, e.object_name, q.actor_name, " BY ", case e.actor_kind when 'user' then e.address end, e.detail->>'comment' from "
		KEY_EVENTS(APPROVED) " and " IN_PERIOD " order by e.at, e.seq",
		ALONG_TIME("audit_entry e where e.event in (" APPROVED ")", COUNT_IF(1, "e.event = 'key.approved'") ", "
			COUNT_IF(2, "e.event <> 'key.approved'"), ONE(1) ", " ONE(2)), 0, { "By people", "By policy" }, { 2, 1 } },
	{ "denied", "Keys", "Keys denied", "Every denial, by a person or by a policy.", NULL, 0,
		COLUMNS({ "Denied", COLUMN_TIME, 14 }, { "Device", COLUMN_TEXT, 20 }, { "Instance", COLUMN_TEXT, 20 }, { "By", COLUMN_TEXT, 18, COLUMN_WORD },
			{ "Address", COLUMN_TEXT, 14 }, { "Comment", COLUMN_TEXT, 30, COLUMN_COMMENT }),
		"select e.at, e.object_name, q.actor_name, " BY ", case e.actor_kind when 'user' then e.address end, e.detail->>'comment' from "
		KEY_EVENTS(DENIED) " and " IN_PERIOD " order by e.at, e.seq",
		ALONG_TIME("audit_entry e where e.event in (" DENIED ")", COUNT_IF(1, "e.event = 'key.denied'") ", "
			COUNT_IF(2, "e.event <> 'key.denied'"), ONE(1) ", " ONE(2)), 0, { "By people", "By policy" }, { 3, 4 } },
	{ "waiting", "Keys", "Time to manual approval", "How long requests waited until a person approved them.", NULL, 0,
		COLUMNS({ "Requested", COLUMN_TIME, 14 }, { "Approved", COLUMN_TIME, 14 }, { "Waited", COLUMN_DURATION, 12 }, { "Device", COLUMN_TEXT, 20 },
			{ "Instance", COLUMN_TEXT, 20 }, { "By", COLUMN_TEXT, 18 }),
		"select q.at, e.at, (extract(epoch from e.at - q.at) * 1000000)::bigint, e.object_name, q.actor_name, e.actor_name from "
		KEY_EVENTS("'key.approved'") " and e.actor_kind = 'user' and " IN_PERIOD " order by e.at, e.seq",
		wait_chart, 1, { NULL }, { 1 }, COLUMN_WORD },
	{ "keys", "Keys", "Key information", "Every device that has a key now: how it is encrypted, where the key is, how old it is.", REPORT_KEYS, 1,
		COLUMNS({ "Device", COLUMN_TEXT, 20 }, { "Provider's ID", COLUMN_TEXT, 18 }, { "Status", COLUMN_TEXT, 12, COLUMN_WORD }, { "Cipher", COLUMN_TEXT, 14 },
			{ "Bits", COLUMN_NUMBER, 6 }, { "Hash", COLUMN_TEXT, 8 }, { "Stored on", COLUMN_TEXT, 10, COLUMN_WORD }, { "Version", COLUMN_NUMBER, 8 },
			{ "Created", COLUMN_TIME, 14 }, { "Rotated", COLUMN_TIME, 14 }),
		"select d.name, d.provider_device, d.status, d.cipher || '-' || d.mode, d.key_bits::bigint, d.hash, d.key_stored_on, d.key_version::bigint,"
		" d.key_created, d.key_rotated from device d where d.key_created is not null order by d.name collate \"und-x-icu\", d.id",
		"select d.cipher || '-' || d.mode || ', ' || d.key_bits || ' bits', count(*) from device d where d.key_created is not null group by 1"
		" order by 2 desc, 1 limit 15", 1, { NULL }, { 1 }, COLUMN_REASON },
	{ "key-events", "Keys", "Life of keys", "Keys that were created, rotated, exported, revoked and destroyed, and by whom.", REPORT_KEYS, 0,
		COLUMNS({ "When", COLUMN_TIME, 14 }, { "What", COLUMN_TEXT, 24, COLUMN_EVENT }, { "Device", COLUMN_TEXT, 20 }, { "By", COLUMN_TEXT, 20 },
			{ "Address", COLUMN_TEXT, 14 }, { "Comment", COLUMN_TEXT, 26, COLUMN_COMMENT }),
		"select e.at, e.event, e.object_name, e.actor_name, e.address, e.detail->>'comment' from audit_entry e"
		" where " OF_A_KEYS_LIFE " and " IN_PERIOD " order by e.at, e.seq",
		"select e.event, count(*) from audit_entry e where " OF_A_KEYS_LIFE " and " IN_PERIOD " group by 1 order by 2 desc, 1 limit 15", 1,
		{ NULL }, { 1 }, COLUMN_EVENT },
	{ "instances", "Inventory", "Instances", "The machines on the list now.", NULL, 1,
		COLUMNS({ "Instance", COLUMN_TEXT, 20 }, { "Provider", COLUMN_TEXT, 10 }, { "Provider's ID", COLUMN_TEXT, 20 }, { "Image", COLUMN_TEXT, 18 },
			{ "System", COLUMN_TEXT, 18 }, { "Region", COLUMN_TEXT, 12 }, { "State", COLUMN_TEXT, 9, COLUMN_WORD }, { "Agent", COLUMN_TEXT, 8 },
			{ "First seen", COLUMN_TIME, 14 }, { "Last seen", COLUMN_TIME, 14 }),
		"select coalesce(nullif(i.host_name, ''), i.provider_instance), i.provider, i.provider_instance, m.name, trim(i.distribution || ' ' ||"
		" i.os_version), i.region, i.state, a.version, i.first_seen, i.last_seen from instance i left join image m on m.tenant = i.tenant and"
		" m.id = i.image left join agent a on a.tenant = i.tenant and a.instance = i.id and a.state = 'active' order by 1, i.id",
		"select coalesce(nullif(trim(i.distribution || ' ' || i.os_version), ''), 'unknown'), count(*) from instance i group by 1 order by 2 desc, 1"
		" limit 15", 1, { NULL }, { 1 }, COLUMN_WORD },
	{ "images", "Inventory", "Images", "The machine images that are registered.", NULL, 1,
		COLUMNS({ "Image", COLUMN_TEXT, 22 }, { "Description", COLUMN_TEXT, 26 }, { "Provider", COLUMN_TEXT, 10 }, { "Provider's ID", COLUMN_TEXT, 22 },
			{ "Instances", COLUMN_NUMBER, 9 }, { "Devices", COLUMN_NUMBER, 9 }, { "Registered", COLUMN_TIME, 14 }),
		"select coalesce(nullif(m.name, ''), m.provider_image), m.description, m.provider, m.provider_image, (select count(*) from instance i where"
		" i.tenant = m.tenant and i.image = m.id), (select count(*) from device d where d.tenant = m.tenant and d.image = m.id), m.created"
		" from image m order by 1, m.id",
		"select coalesce(nullif(m.name, ''), m.provider_image), (select count(*) from instance i where i.tenant = m.tenant and i.image = m.id) from"
		" image m order by 2 desc, 1 limit 15", 1, { NULL }, { 1 } },
	{ "devices", "Inventory", "Devices", "The volumes that are known, and what state they are in.", NULL, 1,
		COLUMNS({ "Device", COLUMN_TEXT, 20 }, { "Provider's ID", COLUMN_TEXT, 20 }, { "Size", COLUMN_BYTES, 9 }, { "File system", COLUMN_TEXT, 8 },
			{ "Mount point", COLUMN_TEXT, 14 }, { "Access", COLUMN_TEXT, 9, COLUMN_WORD }, { "Status", COLUMN_TEXT, 13, COLUMN_WORD }, { "Image", COLUMN_TEXT, 16 },
			{ "Policy", COLUMN_TEXT, 18, COLUMN_POLICY }),
		"select d.name, d.provider_device, d.size_bytes, d.filesystem, d.mount_point, d.access, d.status, m.name, p.name from device d left join image m"
		" on m.tenant = d.tenant and m.id = d.image join policy p on p.tenant = d.tenant and p.id = d.policy where not d.is_system order by d.name collate \"und-x-icu\", d.id",
		"select d.status, count(*) from device d where not d.is_system group by 1 order by 2 desc, 1", 1, { NULL }, { 1 }, COLUMN_WORD },
	{ "sign-ins", "Audit", "Sign-ins", "Who signed in to this console, who failed to, and from where.", NULL, 0, SIGN_INS },
	{ "exports", "Audit", "Exports of keys", "Who exported which key, when and from where; and what came to nothing.", NULL, 0,
		COLUMNS({ "When", COLUMN_TIME, 14 }, { "Device", COLUMN_TEXT, 24 }, { "By", COLUMN_TEXT, 24 }, { "Address", COLUMN_TEXT, 14 },
			{ "Version", COLUMN_NUMBER, 8 }, { "Result", COLUMN_TEXT, 12, COLUMN_WORD }),
		"select e.at, e.object_name, e.actor_name, e.address, (e.detail->>'version')::bigint, case when " EXPORT_FAILED " then 'failed' else 'exported' end"
		" from audit_entry e where e.event = 'key.exported' and " IN_PERIOD " order by e.at, e.seq",
		ALONG_TIME("audit_entry e where e.event = 'key.exported'", COUNT_IF(1, "true"), ONE(1)), 0, { NULL }, { 4 } },
	{ "policies", "Audit", "Policies created, changed and deleted", "Every change of a policy, and who made it.", NULL, 0,
		COLUMNS({ "When", COLUMN_TIME, 14 }, { "Policy", COLUMN_TEXT, 24, COLUMN_POLICY }, { "What", COLUMN_TEXT, 12, COLUMN_WORD }, { "By", COLUMN_TEXT, 22 },
			{ "Address", COLUMN_TEXT, 14 }, { "Why", COLUMN_TEXT, 30, COLUMN_COMMENT }),
		"select e.at, e.object_name, substr(e.event, 8), e.actor_name, e.address, e.detail->>'comment' from audit_entry e where "
		POLICY_CHANGES " and " IN_PERIOD " order by e.at, e.seq",
		ALONG_TIME("audit_entry e where " POLICY_CHANGES,
			COUNT_IF(1, "e.event = 'policy.created'") ", " COUNT_IF(2, "e.event not in ('policy.created', 'policy.deleted')") ", "
			COUNT_IF(3, "e.event = 'policy.deleted'"), ONE(1) ", " ONE(2) ", " ONE(3)), 0, { "Created", "Changed", "Deleted" }, { 2, 1, 3 } },
	{ "approvers", "Audit", "Who approved", "How many requests each person approved and denied.", NULL, 0,
		COLUMNS({ "Person", COLUMN_TEXT, 26 }, { "Approved", COLUMN_NUMBER, 10 }, { "Denied", COLUMN_NUMBER, 10 }, { "First", COLUMN_TIME, 14 },
			{ "Last", COLUMN_TIME, 14 }),
		BY_PERSON(", min(e.at), max(e.at)"),
		BY_PERSON("") " limit 15", 1, { "Approved", "Denied" }, { 2, 3 } },
	{ "run-time", "Usage", "Run time of agents", "How long each instance's agent ran: the time between heartbeats that are at most five minutes apart.", NULL, 0,
		COLUMNS({ "Instance", COLUMN_TEXT, 24, COLUMN_WORD }, { "Provider", COLUMN_TEXT, 10 }, { "Image", COLUMN_TEXT, 20 }, { "First heartbeat", COLUMN_TIME, 14 },
			{ "Last heartbeat", COLUMN_TIME, 14 }, { "Ran", COLUMN_DURATION, 12 }),
		RUN_TIME " select r.name, r.provider, r.image, r.first, r.last, (extract(epoch from coalesce(r.ran, interval '0')) * 1000000)::bigint from runs r"
		" order by 6 desc, 1",
		RUN_TIME " select r.name || ' (hours)', (extract(epoch from coalesce(r.ran, interval '0')) / 3600)::bigint from runs r order by 2 desc, 1 limit 15", 1,
		{ NULL }, { 1 }, COLUMN_REASON },
	{ "access", "Compliance", "Who could read what", "Each key that an instance had at some time in the period: from when until when its data could be read there,"
		" and who had approved it.", NULL, 0,
		COLUMNS({ "From", COLUMN_TIME, 14 }, { "Until", COLUMN_TIME, 14 }, { "Device", COLUMN_TEXT, 22 }, { "Instance", COLUMN_TEXT, 22 },
			{ "Access", COLUMN_TEXT, 9, COLUMN_WORD }, { "Approved by", COLUMN_TEXT, 18, COLUMN_WORD }, { "Ended", COLUMN_TEXT, 9, COLUMN_WORD }),
		COULD_READ,
		"select x.device, count(*) from (select e.object_name as device from audit_entry e where e.event = 'key.delivered' and " IN_PERIOD ") x"
		" group by 1 order by 2 desc, 1 limit 15", 1, { NULL }, { 1 } },
	{ NULL },
};

#define OF_LICENCES "tenant t left join licence l on l.tenant = t.id and l.replaced is null left join licence_use u on u.tenant = t.id where t.state <> 'closed'"
#define LICENCE_STATE "case when l.tenant is null then 'none' when now() >= l.until then 'expired' when licence_level_keys(u.used, l.keys) = 3 then" \
	" 'no key left' when licence_level_keys(u.used, l.keys) > 0 then 'near its limit' when licence_level_end(l.until, l.kind, now()) > 0 then" \
	" 'near its end' else 'well' end"
#define PROCESS_KIND "case p.kind when 'web' then 'Web worker' when 'jobd' then 'Job process' when 'keyd' then 'Key service' else 'Sign-on service' end"
#define INCIDENTS "e.event in ('health.lost', 'health.back', 'key-server.away', 'key-server.back', 'server.started', 'server.stopped')"
#define ACTS "e.actor_kind = 'operator' and e.event not in ('user.signed-in', 'user.sign-in-failed', 'user.locked', 'user.signed-out')"

static const struct report_criterion of_operators[] = {
	{ "tenants", "Tenants", "Tenants", "The accounts of this installation, and the state that each is in.", "tenants.view", 1,
		COLUMNS({ "Tenant", COLUMN_TEXT, 24 }, { "Address", COLUMN_TEXT, 16 }, { "State", COLUMN_TEXT, 10, COLUMN_WORD }, { "Reason", COLUMN_TEXT, 26 },
			{ "Created", COLUMN_TIME, 14 }, { "State since", COLUMN_TIME, 14 }, { "Closes", COLUMN_TIME, 14 }),
		"select t.name, t.slug, t.state, coalesce(t.state_reason, ''), t.created, t.state_changed, t.close_at from tenant t order by t.name collate \"und-x-icu\", t.id",
		"select t.state, count(*) from tenant t group by 1 order by 2 desc, 1", 1, { NULL }, { 1 }, COLUMN_WORD },
	{ "tenant-changes", "Tenants", "Changes of tenants", "Accounts that were created, suspended, resumed, closed or changed by the operator, and by whom.",
		"tenants.view", 0,
		COLUMNS({ "When", COLUMN_TIME, 14 }, { "Tenant", COLUMN_TEXT, 24 }, { "What", COLUMN_TEXT, 16, COLUMN_EVENT }, { "By", COLUMN_TEXT, 22 },
			{ "Address", COLUMN_TEXT, 14 }, { "Reason", COLUMN_TEXT, 28, COLUMN_COMMENT }),
		"select e.at, e.object_name, e.event, e.actor_name, e.address, coalesce(e.detail->>'reason', e.detail->>'comment')"
		" from audit_entry e where e.event like 'tenant.%' and " IN_PERIOD " order by e.at, e.seq",
		ALONG_TIME("audit_entry e where e.event like 'tenant.%'", COUNT_IF(1, "e.event = 'tenant.created'") ", "
			COUNT_IF(2, "e.event in ('tenant.suspended', 'tenant.closing', 'tenant.closed')") ", "
			COUNT_IF(3, "e.event not in ('tenant.created', 'tenant.suspended', 'tenant.closing', 'tenant.closed')"), ONE(1) ", " ONE(2) ", " ONE(3)),
		0, { "Created", "Suspended or closed", "Other" }, { 2, 3, 1 } },
	{ "licences", "Licences", "Licence use", "Each account's licence, and how many keys are in use of those that it grants.", "licences.view", 1,
		COLUMNS({ "Tenant", COLUMN_TEXT, 24 }, { "Address", COLUMN_TEXT, 16 }, { "Kind", COLUMN_TEXT, 8, COLUMN_WORD }, { "Keys", COLUMN_NUMBER, 8 },
			{ "In use", COLUMN_NUMBER, 8 }, { "Per cent", COLUMN_NUMBER, 8 }, { "Until", COLUMN_TIME, 14 }, { "Status", COLUMN_TEXT, 14, COLUMN_WORD }),
		"select t.name, t.slug, l.kind, l.keys::bigint, coalesce(u.used, 0), case when l.keys > 0 then u.used * 100 / l.keys end, l.until, " LICENCE_STATE
		" from " OF_LICENCES " order by 6 desc nulls last, lower(t.name), t.id",
		"select t.name, coalesce(u.used, 0), greatest(0, coalesce(l.keys, 0) - coalesce(u.used, 0))::bigint from " OF_LICENCES
		" order by 2 desc, lower(t.name), t.id limit 15", 1, { "In use", "Free" }, { 1, 2 } },
	{ "licence-codes", "Licences", "Activation codes", "The codes that were issued, for whom, and by whom; the codes themselves are not in it.", "licences.view", 0,
		COLUMNS({ "Issued", COLUMN_TIME, 14 }, { "Tenant", COLUMN_TEXT, 24 }, { "Number", COLUMN_NUMBER, 8 }, { "Kind", COLUMN_TEXT, 8, COLUMN_WORD },
			{ "Keys", COLUMN_NUMBER, 8 }, { "Until", COLUMN_TIME, 14 }, { "By", COLUMN_TEXT, 20 }, { "Note", COLUMN_TEXT, 26 }),
		"select e.issued, t.name, e.serial::bigint, e.kind, e.keys::bigint, e.until, e.issued_by, e.note from licence_issue e join tenant t on t.id = e.account"
		" where e.issued >= $1 and e.issued < $2 order by e.issued, e.id",
		ALONG_TIME("(select i.issued as at, i.kind from licence_issue i) e where true", COUNT_IF(1, "e.kind = 'full'") ", " COUNT_IF(2, "e.kind <> 'full'"),
			ONE(1) ", " ONE(2)), 0, { "Full", "Trial" }, { 1, 4 } },
	{ "processes", "Health", "Processes", "What runs of the server, on which machine, since when.", "system.view", 1,
		COLUMNS({ "Process", COLUMN_TEXT, 16, COLUMN_WORD }, { "Machine", COLUMN_TEXT, 24 }, { "Version", COLUMN_TEXT, 12 }, { "Started", COLUMN_TIME, 14 },
			{ "Last seen", COLUMN_TIME, 14 }, { "State", COLUMN_TEXT, 14, COLUMN_WORD }, { "Reason", COLUMN_TEXT, 26, COLUMN_REASON }),
		"select " PROCESS_KIND ", p.host, p.version, p.started, p.seen, case when p.away is not null then 'does not answer' when p.seen < now() -"
		" interval '30 seconds' then 'silent' else 'runs' end, coalesce(p.error, '') from process p order by 1, 2, p.pid",
		"select " PROCESS_KIND ", count(*) from process p group by 1 order by 1", 1, { NULL }, { 1 }, COLUMN_WORD },
	{ "incidents", "Health", "Incidents", "Parts of the server that were in trouble and well again, and every start and stop.", "system.view", 0,
		COLUMNS({ "When", COLUMN_TIME, 14 }, { "Part", COLUMN_TEXT, 22, COLUMN_REASON }, { "What", COLUMN_TEXT, 14, COLUMN_WORD }, { "Reason", COLUMN_TEXT, 50, COLUMN_REASON }),
		"select e.at, coalesce(e.object_name, e.object_kind), case e.event when 'health.lost' then 'in trouble' when 'key-server.away' then 'away' when"
		" 'server.started' then 'started' when 'server.stopped' then 'stopped' else 'well again' end, e.detail->>'reason' from audit_entry e where "
		INCIDENTS " and " IN_PERIOD " order by e.at, e.seq",
		ALONG_TIME("audit_entry e where " INCIDENTS, COUNT_IF(1, "e.event in ('health.lost', 'key-server.away')") ", "
			COUNT_IF(2, "e.event = 'server.started'"), ONE(1) ", " ONE(2)), 0, { "In trouble", "Started" }, { 3, 1 } },
	{ "queue", "Health", "Job queue", "The most that waited in each hour, and the longest that one waited. It is known for the last 30 days.", "system.view", 0,
		COLUMNS({ "Hour", COLUMN_TIME, 16 }, { "Waiting", COLUMN_NUMBER, 10 }, { "At work", COLUMN_NUMBER, 10 }, { "Failed", COLUMN_NUMBER, 10 },
			{ "Longest wait", COLUMN_DURATION, 14 }),
		"select date_trunc('hour', e.at), max(e.waiting), max(e.running), max(e.failed), max(e.behind)::bigint * 1000000 from health_sample e where "
		IN_PERIOD " group by 1 order by 1",
		ALONG_TIME("health_sample e where true", "max(e.waiting) as n1, max(e.failed) as n2", ONE(1) ", " ONE(2)), 0, { "Waiting", "Failed" }, { 1, 3 } },
	{ "backups", "Health", "Backups", "Every backup that was begun, and what became of it.", "system.view", 0,
		COLUMNS({ "Started", COLUMN_TIME, 14 }, { "Took", COLUMN_DURATION, 12 }, { "Place", COLUMN_TEXT, 36 }, { "Size", COLUMN_BYTES, 10 },
			{ "Outcome", COLUMN_TEXT, 14, COLUMN_WORD }, { "Reason", COLUMN_TEXT, 30, COLUMN_REASON }),
		"select e.started, (extract(epoch from e.finished - e.started) * 1000000)::bigint, e.place, e.bytes, case when e.error is not null then 'failed' when"
		" e.finished is null then 'not finished' else 'made' end, coalesce(e.error, '') from backup e where e.started >= $1 and e.started < $2"
		" order by e.started, e.id",
		ALONG_TIME("(select b.started as at, b.error, b.finished from backup b) e where true", COUNT_IF(1, "e.error is null and e.finished is not null") ", "
			COUNT_IF(2, "e.error is not null"), ONE(1) ", " ONE(2)), 0, { "Made", "Failed" }, { 2, 3 } },
	{ "operator-sign-ins", "Audit", "Operators' sign-ins", "Who signed in to this console, who failed to, and from where.", "system-log.view", 0, SIGN_INS },
	{ "operator-acts", "Audit", "What operators did", "Every change that an operator made, and on what.", "system-log.view", 0,
		COLUMNS({ "When", COLUMN_TIME, 14 }, { "Operator", COLUMN_TEXT, 24 }, { "What", COLUMN_TEXT, 24, COLUMN_EVENT }, { "On what", COLUMN_TEXT, 26 },
			{ "Address", COLUMN_TEXT, 16 }),
		"select e.at, e.actor_name, e.event, coalesce(e.object_name, ''), e.address from audit_entry e where " ACTS
		" and " IN_PERIOD " order by e.at, e.seq",
		"select e.actor_name, count(*) from audit_entry e where " ACTS " and " IN_PERIOD " group by 1 order by 2 desc, 1 limit 15", 1, { NULL }, { 1 } },
	{ NULL },
};

const struct report_criterion *report_criteria(enum store_side side)
{
	return side == STORE_OPERATOR ? of_operators : of_tenants;
}

int report_criterion_is_keys(const struct report_criterion *k)
{
	return k->needs && strcmp(k->needs, REPORT_KEYS) == 0;
}

const struct report_criterion *report_criterion_find(enum store_side side, const char *name)
{
	for (const struct report_criterion *k = report_criteria(side); k->name; k++)
		if (strcmp(k->name, name) == 0)
			return k;
	return NULL;
}

size_t report_criterion_columns(const struct report_criterion *k)
{
	size_t n = 0;

	while (k->columns[n].label)
		n++;
	return n;
}

int report_data_begin(struct db *db, enum store_side side)
{
	int rc = side == STORE_OPERATOR ? db_run(db, "set local role keyward_summaries", DB_NONE) : 0;

	return rc < 0 ? rc : 0;
}

int report_data_end(struct db *db, enum store_side side)
{
	int rc = side == STORE_OPERATOR ? db_run(db, "reset role", DB_NONE) : 0;

	return rc < 0 ? rc : 0;
}

/* What has happened is where the log is; nothing of a criterion is in both. */
static int place_of(struct db *db, const struct report_criterion *k, struct db **out)
{
	*out = db;
	return strstr(k->rows, "audit_entry") ? db_log(db, out) : 0;
}

/* A cursor of its own name for each criterion: statements are prepared by their text, and must not meet another result. */
static int on_cursor(struct db *db, const struct report_criterion *k, const char *verb, struct db_result **out)
{
	char *sql = mem_printf("%s \"report %s\"", verb, k->name);
	struct db *place;
	int rc = place_of(db, k, &place);

	if (rc == 0)
		rc = out ? db_query(place, out, sql, DB_NONE) : db_run(place, sql, DB_NONE);
	free(sql);
	return rc < 0 ? rc : 0;
}

int report_rows_begin(struct db *db, const struct report_criterion *k, const struct report_period *p)
{
	char *sql = mem_printf("declare \"report %s\" no scroll cursor for %s", k->name, k->rows);
	struct db *place;
	int rc = place_of(db, k, &place);

	if (rc == 0)
		rc = db_run(place, sql, DB_ARGS(db_time_arg(p->since), db_time_arg(p->until)));
	free(sql);
	return rc < 0 ? rc : 0;
}

int report_rows_next(struct db *db, const struct report_criterion *k, struct db_result **out)
{
	return on_cursor(db, k, "fetch 500 from", out);
}

int report_rows_end(struct db *db, const struct report_criterion *k)
{
	return on_cursor(db, k, "close", NULL);
}

static const char *unit_of(const struct report_period *p)
{
	clock_us long_ = p->until - p->since;

	return long_ <= 2 * CLOCK_DAY ? "hour" : long_ <= 62 * CLOCK_DAY ? "day" : "month";
}

int report_chart_rows(struct db *db, const struct report_criterion *k, const struct report_period *p, struct db_result **out)
{
	struct db *place;
	int rc = place_of(db, k, &place);

	if (rc < 0)
		return rc;
	return k->lying ? db_query(place, out, k->chart, DB_ARGS(db_time_arg(p->since), db_time_arg(p->until)))
		: db_query(place, out, k->chart, DB_ARGS(db_time_arg(p->since), db_time_arg(p->until), db_text_arg(p->zone ? p->zone->name : "UTC"), db_text_arg(unit_of(p))));
}
