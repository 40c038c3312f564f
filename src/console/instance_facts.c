/* instance_facts.c - the facts of one instance for people (INT-5, RUN-6): grouped, each with its source and time; long ones on a page of
 * their own that can be searched. What is known of a fact for rules is in policy/catalogue.h; here are the words for this page. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/phrase.h"
#include "console/pages.h"
#include "policy/facts.h"
#include "store/facts.h"
#include "store/instance.h"
#include "web/doc.h"
#include "web/list.h"

#define MEMBERS_SHOWN 8          /* of a set, on the instance's own page */

/* SINGLE: one value. SHORT: a set whose members say all. SET: members with a detail. LONG: so many that only their number is shown. */
enum shape { SINGLE, SHORT, SET, LONG };

static const struct row {
	const char *group, *fact, *label;
	enum fact_source source;
	enum shape shape;
} rows[] = {
	{ "System", "host.name", "Host name", FACT_AGENT, SINGLE },
	{ "System", "os.distribution", "Distribution", FACT_AGENT, SINGLE },
	{ "System", "os.version", "Version of the distribution", FACT_AGENT, SINGLE },
	{ "System", "os.kernel", "Kernel", FACT_AGENT, SINGLE },
	{ "System", "os.system", "Operating system", FACT_AGENT, SINGLE },
	{ "System", "os.arch", "Architecture", FACT_AGENT, SINGLE },
	{ "System", "os.bits", "Bits", FACT_AGENT, SINGLE },
	{ "System", "os.booted_at", "Started", FACT_AGENT, SINGLE },
	{ "System", "os.uptime_s", "Running for", FACT_AGENT, SINGLE },
	{ "Updates", "os.pending_security_updates", "Pending security updates", FACT_AGENT, SINGLE },
	{ "Updates", "os.pending_updates", "Pending updates", FACT_AGENT, SINGLE },
	{ "Updates", "os.updates_checked_at", "Lists of updates fetched", FACT_AGENT, SINGLE },
	{ "Network", "network.services", "Listening ports", FACT_AGENT, SET },
	{ "Network", "network.addresses", "Addresses", FACT_AGENT, SHORT },
	{ "Network", "network.networks", "Networks", FACT_AGENT, SHORT },
	{ "Network", "request.address", "Source address", FACT_SERVER, SINGLE },
	{ "Security software", "security.products", "Products", FACT_AGENT, SET },
	{ "Security software", "deep_security.status", "Deep Security", FACT_DEEP_SECURITY, SINGLE },
	{ "Security software", "deep_security.anti_malware", "Anti-malware", FACT_DEEP_SECURITY, SINGLE },
	{ "Security software", "deep_security.web_reputation", "Web reputation", FACT_DEEP_SECURITY, SINGLE },
	{ "Security software", "deep_security.firewall", "Firewall", FACT_DEEP_SECURITY, SINGLE },
	{ "Security software", "deep_security.intrusion_prevention", "Intrusion prevention", FACT_DEEP_SECURITY, SINGLE },
	{ "Security software", "deep_security.integrity_monitoring", "Integrity monitoring", FACT_DEEP_SECURITY, SINGLE },
	{ "Security software", "deep_security.log_inspection", "Log inspection", FACT_DEEP_SECURITY, SINGLE },
	{ "Software", "packages", "Packages", FACT_AGENT, LONG },
	{ "Software", "processes", "Processes", FACT_AGENT, LONG },
	{ "Software", "files", "Watched files", FACT_AGENT, SET },
	{ "Software", "agent.version", "Agent version", FACT_AGENT, SINGLE },
	{ "Location", "instance.region", "Region", FACT_AGENT, SINGLE },
	{ "Location", "instance.zone", "Zone", FACT_AGENT, SINGLE },
	{ "Location", "instance.user_data", "User data", FACT_AGENT, SINGLE },
	{ "Seen", "instance.first_seen", "First seen", FACT_SERVER, SINGLE },
	{ "Seen", "instance.last_seen", "Last seen before this report", FACT_SERVER, SINGLE },
};
#define OTHERS "Other facts"

static const struct row *row_of(const char *fact)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].fact, fact) == 0)
			return &rows[i];
	return NULL;
}

const char *fact_label(const struct call *c, const char *fact)
{
	const struct row *r = row_of(fact);

	return r ? call_translate(c, r->label) : fact;
}

/* Values */

/* "3 days, 4 hours": the two greatest units. */
static json_t *duration(const struct call *c, int64_t seconds)
{
	int64_t minutes = seconds / 60, hours = minutes / 60;
	json_t *parts = hours >= 48 ? json_pack("[o, o]", phrase_units(hours / 24, 'd'), phrase_units(hours % 24, 'h')) :
		json_pack("[o, o]", phrase_units(hours, 'h'), phrase_units(minutes % 60, 'm')), *text = call_phrase(c, parts);

	json_decref(parts);
	return text;
}

static json_t *joined(const json_t *list)
{
	struct buf out = BUF_INIT;
	const json_t *item;
	json_t *text;
	size_t i;

	json_array_foreach(list, i, item) {
		char *other = json_is_string(item) ? NULL : json_dumps(item, JSON_COMPACT | JSON_ENCODE_ANY);

		buf_printf(&out, "%s%s", i ? ", " : "", other ? other : json_string_value(item));
		free(other);
	}
	text = json_string(buf_str(&out));
	buf_free(&out);
	return text;
}

static json_t *names_of(const json_t *set)
{
	json_t *list = json_array(), *text, *value;
	const char *name;

	json_object_foreach((json_t *)(uintptr_t)set, name, value)
		json_array_append_new(list, json_string(name));
	text = joined(list);
	json_decref(list);
	return text;
}

static int is_time(const char *text, clock_us *at)
{
	return strlen(text) >= 20 && text[10] == 'T' && clock_parse(text, at) == 0;
}

/* A value as text, whatever its kind: later agents may report what this server has no words for. */
json_t *fact_text(const struct call *c, const char *fact, const json_t *value)
{
	size_t len = strlen(fact);
	clock_us at;
	char *text;
	json_t *out, *when;

	if (json_is_integer(value) && len > 2 && strcmp(fact + len - 2, "_s") == 0)
		return duration(c, json_integer_value(value));
	if (json_is_string(value) && is_time(json_string_value(value), &at)) {
		when = call_when(c, at);
		out = json_incref(json_object_get(when, "text"));
		json_decref(when);
		return out;
	}
	if (json_is_string(value))
		return json_string(json_string_value(value));
	if (json_is_boolean(value))
		return json_string(call_translate(c, json_is_true(value) ? "Yes" : "No"));
	if (json_is_array(value))
		return joined(value);
	if (json_is_integer(value))
		return call_phrase(c, value);
	text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	out = json_string(text ? text : "");
	free(text);
	return out;
}

/* Details of members, by fact */

static json_t *service_text(const struct call *c, const json_t *detail)
{
	json_t *addresses = joined(json_object_get(detail, "address")), *out;
	const char *process = doc_text(detail, "process");

	out = json_sprintf("%s%s%s", process, *process ? " · " : "", json_string_value(addresses));
	json_decref(addresses);
	return out;
}

static json_t *product_text(const struct call *c, const json_t *detail)
{
	json_t *date = doc_when(c, detail, "pattern_date"), *text;
	const json_t *running = json_object_get(detail, "running");
	struct buf out = BUF_INIT;

	if (*doc_text(detail, "version"))
		buf_printf(&out, " · %s %s", call_translate(c, "version"), doc_text(detail, "version"));
	if (*doc_text(detail, "pattern"))
		buf_printf(&out, " · %s %s", call_translate(c, "patterns"), doc_text(detail, "pattern"));
	if (json_is_object(date))
		buf_printf(&out, " · %s %s", call_translate(c, "patterns of"), doc_text(date, "text"));
	if (json_is_boolean(running))
		buf_printf(&out, " · %s", call_translate(c, json_is_true(running) ? "running" : N_("not running")));
	text = json_string(out.len ? buf_str(&out) + strlen(" · ") : "");
	buf_free(&out);
	json_decref(date);
	return text;
}

json_t *fact_member_text(const struct call *c, const char *fact, const json_t *detail)
{
	if (strcmp(fact, "network.services") == 0)
		return service_text(c, detail);
	if (strcmp(fact, "security.products") == 0)
		return product_text(c, detail);
	if (strcmp(fact, "files") == 0 && json_is_null(detail))
		return json_string(call_translate(c, "does not exist"));
	return json_is_null(detail) ? json_string("") : fact_text(c, fact, detail);
}

static const char *member_name(const char *fact, const char *name, const json_t *detail)
{
	return strcmp(fact, "security.products") == 0 && *doc_text(detail, "label") ? doc_text(detail, "label") : name;
}

static json_t *members_of(const struct call *c, const char *fact, const json_t *set)
{
	json_t *out = json_array(), *detail;
	const char *name;

	json_object_foreach((json_t *)(uintptr_t)set, name, detail)
		if (json_array_size(out) < MEMBERS_SHOWN)
			json_array_append_new(out, json_pack("{s:s,s:o}", "name", member_name(fact, name, detail), "detail",
				fact_member_text(c, fact, detail)));
	return out;
}

/* Where the rest is: the page of the set. Sets that are shown in full have none. */
static json_t *rest_url(const struct row *r, const char *instance, const json_t *value)
{
	size_t count = json_object_size(value);

	if (count == 0 || r->shape == SINGLE || r->shape == SHORT || (r->shape == SET && count <= MEMBERS_SHOWN))
		return json_null();
	return json_sprintf("/instances/%s/facts?fact=%s", instance, r->fact);
}

static json_t *item(const struct call *c, const struct row *r, const char *instance, const json_t *part, const json_t *value)
{
	int set = json_is_object(value), members = set && r->shape == SET;
	json_t *text = value == NULL ? json_null() : set && json_object_size(value) == 0 ? json_string(call_translate(c, "None")) :
		set && r->shape == SHORT ? names_of(value) : set ? json_null() : fact_text(c, r->fact, value);
	json_t *out = json_pack("{s:s,s:s,s:o,s:b,s:o,s:s,s:o}", "id", r->fact, "name", call_translate(c, r->label), "value", text, "known",
		value != NULL, "members", members ? members_of(c, r->fact, value) : json_array(), "source",
		call_translate(c, fact_source_label(r->source)), "at", value ? doc_when(c, part, "at") : json_null());

	json_object_set_new(out, "url", rest_url(r, instance, value));
	json_object_set_new(out, "all", set ? call_counted(c, (int64_t)json_object_size(value), "Show all (%{n})",
		"Show all (%{n})") : json_null());
	return out;
}

static json_t *group_of(const struct call *c, json_t *groups, const char *name)
{
	json_t *last = json_array_get(groups, json_array_size(groups) - 1);

	if (last == NULL || strcmp(doc_text(last, "id"), name) != 0) {
		last = json_pack("{s:s,s:s,s:[]}", "id", name, "name", call_translate(c, name), "items");
		json_array_append_new(groups, last);
	}
	return json_object_get(last, "items");
}

/* Nothing is said of Deep Security where it is not asked. */
static void add_known(const struct call *c, json_t *groups, const json_t *row, const json_t *doc)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const json_t *part = json_object_get(doc, fact_source_name(rows[i].source));
		const json_t *value = json_object_get(json_object_get(part, "values"), rows[i].fact);

		if (value || rows[i].source == FACT_AGENT)
			json_array_append_new(group_of(c, groups, rows[i].group), item(c, &rows[i], doc_text(row, "id"), part, value));
	}
}

static void add_others(const struct call *c, json_t *groups, const json_t *row, const json_t *doc)
{
	const json_t *part = json_object_get(doc, "agent");
	const char *name;
	json_t *value;

	json_object_foreach(json_object_get(part, "values"), name, value) {
		struct row r = { OTHERS, name, name, FACT_AGENT, SHORT };

		if (row_of(name) == NULL && strcmp(name, "gathered_at") != 0)
			json_array_append_new(group_of(c, groups, OTHERS), item(c, &r, doc_text(row, "id"), part, value));
	}
}

void instance_facts(struct call *c, const json_t *row)
{
	const json_t *doc = json_object_get(row, "facts");
	json_t *groups = json_array();

	if (json_is_object(json_object_get(doc, "agent"))) {
		add_known(c, groups, row, doc);
		add_others(c, groups, row, doc);
	}
	call_set(c, "has_facts", json_boolean(json_array_size(groups)));
	call_set(c, "groups", groups);
}

/* All members of all sets */

static const char *const filters[] = { "fact", NULL };
static const char *const sorts[] = { "name", NULL };
static const struct list_chip chips[] = { { "network.services", "Listening ports" }, { "packages", "Packages" },
	{ "processes", "Processes" }, { "files", "Watched files" }, { "security.products", "Products" }, { NULL, NULL } };
static const char *const sets[] = { "network.services", "network.addresses", "network.networks", "packages", "processes", "files",
	"security.products", NULL };
static const struct list_csv columns[] = { { "Name", "name" }, { "Detail", "detail" }, { "Fact", "fact" }, { NULL, NULL } };
static const struct list_view view = { .of = "instance", .filters = filters, .chip = "fact", .chips = chips, .sorts = sorts, .columns = columns, .file = "facts.csv" };

const struct route_param instance_facts_query[] = {
	LIST_PARAMS_CSV,
	{ "fact", "Fact", PARAM_ENUM, 0, 0, 0, sets },
	PARAM_END
};

static json_t *member_row(struct call *c, json_t *row)
{
	const char *fact = doc_text(row, "fact"), *name = doc_text(row, "name");

	return json_pack("{s:s,s:s,s:o}", "fact", fact_label(c, fact), "name", member_name(fact, name, json_object_get(row, "detail")),
		"detail", fact_member_text(c, fact, json_object_get(row, "detail")));
}

static int fetch_members(struct call *c, const struct list_query *q, json_t **page)
{
	return instance_fetch(c, q, "facts", fact_member_list, page);
}

int instance_facts_page(struct call *c)
{
	return list_answer(c, &view, fetch_members, member_row);
}
