/* facts.c - the facts document. */
#include "store/facts.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/deep_security.h"

/* For so long after a machine has come back, "last seen" is the time before it went away (RUL-6). */
#define BACK_FOR "interval '15 minutes'"

enum { FIRST_SEEN, LAST_SEEN, ACCESS, MOUNT_POINT, REQUESTED, OFFSET, ADDRESS, REPORTED, REPORTED_AT, DEEP_SECURITY };

/* What the server itself knows; columns of the query below. */
static const struct {
	const char *name;
	int column, is_time;
} server_facts[] = {
	{ "device.access", ACCESS, 0 },
	{ "device.mount_point", MOUNT_POINT, 0 },
	{ "request.at", REQUESTED, 1 },
	{ "request.address", ADDRESS, 0 },
	{ "instance.first_seen", FIRST_SEEN, 1 },
	{ "instance.last_seen", LAST_SEEN, 1 },
};

/* Access is the least of what is asked for and configured, as the answer to the agent has it; the mount point is the configured
 * one, and the agent's where there is none. */
#define SELECT "select i.first_seen, case when i.back > $3 - " BACK_FOR " then i.seen_before else i.last_seen end," \
	" case when d.id is null then null when d.access = 'read-only' or coalesce($4, r.access) = 'read-only' then 'read-only'" \
	" else 'read-write' end, coalesce(nullif(d.mount_point, ''), $5, r.mount_point), m.at," \
	" extract(epoch from (m.at at time zone t.time_zone) - (m.at at time zone 'UTC'))::bigint, coalesce($6, a.address)," \
	" case when $7 then i.facts -> 'agent' -> 'values' end, i.facts_at, exists (select 1 from policy p where p.tenant = d.tenant" \
	" and p.id = d.policy and p.rules::text like '%\"deep_security.%') from instance i join tenant t on t.id = i.tenant" \
	" left join device d on d.tenant = i.tenant and d.id = $2 left join agent a on a.tenant = i.tenant and a.instance = i.id" \
	" and a.state = 'active' left join key_request r on r.tenant = i.tenant and r.device = d.id and r.instance = i.id" \
	" and r.closed is null, lateral (select case when $4 is null then coalesce(r.requested, $3) else $3 end as at) m where i.id = $1"

static int is_servers(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(server_facts); i++)
		if (strcmp(server_facts[i].name, name) == 0)
			return 1;
	return strncmp(name, "deep_security.", strlen("deep_security.")) == 0;
}

static json_t *agents_own(const json_t *facts)
{
	json_t *own = json_object(), *value;
	const char *name;

	json_object_foreach((json_t *)(uintptr_t)facts, name, value)
		if (!is_servers(name))
			json_object_set(own, name, value);
	return own;
}

static json_t *part(clock_us at, json_t *values)
{
	char text[CLOCK_TEXT_SIZE];

	clock_text(at, text);
	return json_pack("{s:s,s:o}", "at", text, "values", values);
}

static json_t *server_part(const struct db_result *r, clock_us at)
{
	json_t *values = json_object(), *out;
	char text[CLOCK_TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(server_facts); i++) {
		int column = server_facts[i].column;

		if (db_is_null(r, 0, column))
			continue;
		if (server_facts[i].is_time)
			clock_text(db_time(r, 0, column), text);
		json_set_string(values, server_facts[i].name, server_facts[i].is_time ? text : db_text(r, 0, column));
	}
	out = part(at, values);
	json_set_int(out, "utc_offset_s", db_int(r, 0, OFFSET));
	return out;
}

int facts_document(struct db *db, const struct facts_question *q, json_t **out)
{
	int stored = q->agent == NULL;
	struct db_result *r;
	int rc = db_query_row(db, &r, SELECT, DB_ARGS(db_uuid_arg(q->instance), db_uuid_arg(q->device), db_time_arg(q->at),
		db_text_arg(q->access), db_text_arg(q->mount_point), db_text_arg(q->address), db_bool_arg(stored)));
	json_t *doc, *manager = NULL;
	int asks;

	if (rc < 0)
		return rc;
	doc = json_pack("{s:o}", "server", server_part(r, q->at));
	if (!stored)
		json_object_set_new(doc, "agent", part(q->at, agents_own(q->agent)));
	else if (!db_is_null(r, 0, REPORTED))
		json_object_set_new(doc, "agent", part(db_time(r, 0, REPORTED_AT), db_json(r, 0, REPORTED)));
	asks = db_bool(r, 0, DEEP_SECURITY);
	db_result_free(r);
	/* A question more, for policies that ask it. */
	if (asks)
		rc = deep_security_facts(db, q->instance, q->at, &manager);
	if (manager)
		json_object_set_new(doc, "deep_security", manager);
	if (rc == 0)
		*out = doc;
	else
		json_decref(doc);
	return rc;
}

int facts_watched(struct db *db, const struct uuid *agent, int max, int limit, json_t **out)
{
	struct db_result *r;
	json_t *paths;
	int rc = db_query(db, &r, "select distinct f #>> '{}' from agent a join instance i on i.tenant = a.tenant and i.id = a.instance"
		" join policy p on p.tenant = a.tenant and p.id in (select d.policy from device d where d.tenant = i.tenant"
		" and d.instance = i.id union select x.policy from policy_image x where x.tenant = i.tenant and x.image = i.image),"
		" jsonb_path_query(p.rules, 'lax $.** ? (@.type == \"file.sha256\").conditions[*].subject') f where a.id = $1"
		" and f #>> '{}' like '/%' and octet_length(f #>> '{}') <= $2 order by 1 limit $3", DB_ARGS(db_uuid_arg(agent), db_int_arg(max),
		db_int_arg(limit)));

	if (rc < 0)
		return rc;
	paths = json_array();
	for (size_t i = 0; i < db_rows(r); i++)
		json_array_append_new(paths, json_string(db_text(r, i, 0)));
	db_result_free(r);
	*out = paths;
	return 0;
}
