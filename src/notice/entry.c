/* entry.c - the table of an entry's names, and their values in words. */
#include "notice/entry.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/phrase.h"
#include "base/say.h"
#include "identity/permission.h"
#include "notice/event.h"
#include "notice/reasons.h"
#include "render/words.h"

/* How a value is said; UNSAID: it tells people nothing. */
enum kind { PLAIN, WORD, REASON, COMMENT, ROLE, EVENT, BORN, UNSAID, COUNT, BYTES, SECONDS, TIME };

static const struct entry_member { const char *name, *label; enum kind kind; } members[] = {
	{ "access", "Access", WORD }, { "act", "Act", WORD }, { "action", "Action" }, { "added", "Added", COUNT }, { "again", "Again" },
	{ "agent_package", "Address of the agent's package" }, { "approvals", "Approvals" }, { "argument", "Argument" }, { "as", "As", WORD }, { "asked", "Device asked for" }, { "at", "At", TIME },
	{ "audience", "Audience" }, { "base", "Search base" }, { "bind_dn", "Searches as" }, { "break_glass", "Emergency access" },
	{ "browser", "Browser" }, { "bytes", "Size", BYTES }, { "ca", "Certificate authority" }, { "category", "Type", WORD },
	{ "certificate", "Certificate" }, { "certificates", "Certificates" }, { "check", "Integrity checks" }, { "checks", "Checks", COUNT },
	{ "cipher", "Cipher" }, { "client_certificate", "Client certificate" }, { "colour", "Colour" }, { "comment", "Comment", COMMENT }, { "configuration", "Configuration" }, { "content", "Content" },
	{ "create", "Unknown people get a user" }, { "credentials", "Credentials" }, { "criteria", "Criteria", WORD }, { "date_format", "Date format" }, { "days", "Days" },
	{ "description", "Description", BORN }, { "destroyed", "Destroyed" }, { "destroys_keys", "Destroys keys" }, { "destruction", "Destruction" },
	{ "detail", "Detail", REASON }, { "device", "Device" }, { "devices", "Devices", COUNT }, { "devices_moved", "Devices moved", COUNT },
	{ "email", "E-mail address" }, { "enabled", "Enabled" }, { "entity", "Entity ID" }, { "error", "Error", REASON },
	{ "events", "Events", EVENT }, { "expires_s", "Expires after", SECONDS }, { "export", "Export", UNSAID }, { "external_id", "ID outside" },
	{ "factor", "Second factor for", ROLE }, { "file", "File" }, { "filesystem", "File system" }, { "filter", "Filter" }, { "first", "First" }, { "footer", "Footer" },
	{ "format", "Format", WORD }, { "formats", "Formats", WORD }, { "found", "Found" }, { "frequency", "Frequency", WORD }, { "from", "From" },
	{ "given", "Given", COUNT }, { "grace_s", "Grace period", SECONDS }, { "group_base", "Base of groups" }, { "group_filter", "Filter of groups" },
	{ "guest_proposals", "Proposals of machines", WORD }, { "hash", "Hash" }, { "header", "Header" }, { "host", "Host" }, { "hours", "Hours", COUNT }, { "how", "How", WORD }, { "id", "ID" },
	{ "idle_minutes", "Minutes without use", COUNT }, { "image", "Image", COMMENT }, { "images", "Images", COUNT }, { "instance", "Instance" },
	{ "instances", "Instances", COUNT }, { "integrity", "Integrity", WORD }, { "keep_days", "Kept, in days", COUNT },
	{ "keep_s", "Kept", SECONDS }, { "key_bits", "Key size, in bits" }, { "key_server", "Key server", WORD }, { "keys", "Keys", WORD }, { "kind", "Kind", WORD },
	{ "language", "Language" }, { "last", "Last" }, { "level", "Level", WORD }, { "link", "May be linked" }, { "login", "Attribute of the login" }, { "logo", "Logo" },
	{ "luks_uuid", "LUKS UUID" }, { "mail", "Mail" }, { "max_key_age_days", "Maximum key age, in days", COUNT }, { "member", "Member" },
	{ "members", "Members" }, { "mode", "Mode", WORD }, { "monthday", "Day of the month" }, { "most_mib", "At most, in MiB", COUNT }, { "mount_point", "Mount point" }, { "name", "Name", BORN },
	{ "name_id", "NameID" }, { "names_added", "Put in" }, { "names_removed", "Taken out" }, { "needed", "Needed", COUNT },
	{ "nesting", "Groups in groups", WORD }, { "not_after", "Valid until", TIME }, { "not_before", "Valid from", TIME }, { "of", "Of" },
	{ "on_failure", "On failure", WORD }, { "on_match", "If all rules match", WORD }, { "on_mismatch", "If a rule does not match", WORD },
	{ "order", "Order", WORD }, { "os", "Operating system", WORD }, { "other_version", "Other version" }, { "otherwise", "Otherwise", ROLE },
	{ "overwrite", "Overwrite" }, { "path", "Path" }, { "people", "People", COUNT }, { "period", "Period", WORD }, { "place", "Place", WORD },
	{ "policy", "Policy", BORN }, { "pool", "Pool", WORD }, { "pooling", "Resource pooling" }, { "port", "Port" }, { "progress", "Progress" },
	{ "proposals", "Proposals of machines", WORD }, { "proposed", "Proposed by the machine" }, { "provider", "Provider" }, { "raid", "RAID" },
	{ "rate", "Rate", COUNT }, { "reason", "Reason", REASON }, { "recipients", "Recipients" }, { "registered", "Registered automatically" },
	{ "regrant_s", "Time to ask again", SECONDS }, { "removed", "Removed", COUNT }, { "role", "Role", ROLE }, { "role_fixed", "Role is fixed" },
	{ "roles", "Roles" }, { "reports", "Storage of reports", COUNT }, { "rows", "Rows", COUNT }, { "rules", "Rules" }, { "schedule", "Schedule", WORD }, { "scheduled", "Scheduled" },
	{ "scope", "Scope", WORD }, { "seconds", "Time", SECONDS }, { "secret", "Secret" }, { "secret_changed", "Secret changed" },
	{ "secrets", "Secrets", COUNT }, { "security", "Protection of the line", WORD }, { "sender", "Sender" }, { "sent", "Sent" }, { "serial", "Number" }, { "server", "Server" }, { "servers", "Servers" },
	{ "sessions", "Sessions", COUNT }, { "sha256", "SHA-256" }, { "sign_in", "Sign-in rules" }, { "since", "Since", TIME },
	{ "skew", "Clocks may differ by", SECONDS },
	{ "slo_answer_url", "Address for answers about signing out" }, { "slo_post", "Signing out by POST alone" }, { "slo_url", "Address for signing out" },
	{ "slug", "Account name" }, { "source", "Source", WORD }, { "source_name", "Copied from" }, { "source_version", "Version there" },
	{ "sso_url", "Address for signing in" }, { "state", "State", WORD }, { "status", "Status", WORD }, { "subject", "Subject" },
	{ "summary", "Summary", REASON }, { "support", "Address for support" }, { "system", "Operating system" }, { "tenant", "Account" }, { "text", "Text", REASON }, { "time_zone", "Time zone" }, { "timeout_s", "Time-out", SECONDS },
	{ "to", "To" }, { "until", "Until", TIME }, { "url", "Address" }, { "used", "Used", COUNT }, { "used_mib", "Used, in MiB", COUNT }, { "user", "User" }, { "users", "Users", COUNT },
	{ "value", "Value" }, { "version", "Version" }, { "volume_of", "Volume of" }, { "warning", "Warning", WORD }, { "weekday", "Weekday" },
	{ "with_doubtful", "With doubtful ones" },
};

/* Values that programs know: words of forms, states. */
/* OF: of this member alone; NULL: of any. */
static const struct { const char *name, *label, *of; } words[] = {
	{ "yes", N_("yes") }, { "no", N_("no") }, { "read-only", N_("read-only") }, { "read-write", N_("read-write") }, { "ro", N_("read-only") }, { "rw", N_("read-write") },
	{ "sign-in", "Sign-in" }, { "sign-out", "Sign-out" }, { "password", "Password" }, { "directory", "Directory" }, { "saml", "Single sign-on" }, { "link", "Link" },
	{ "totp", "Second factor" }, { "recovery-code", "Recovery code" }, { "local", "Local" },
	{ "hand-over", "Hand over" }, { "decrypt", "Decrypt" }, { "free", "Free" },
	{ "good", "Good" }, { "bad", "Bad" }, { "unknown", "Unknown" }, { "failed", "Failed" },
	{ "pending", "Pending" }, { "approved", "Approved" }, { "denied", "Denied" }, { "delivered", "Delivered" }, { "revoking", "Revoking" }, { "revoked", "Revoked" },
	{ "active", "Active" }, { "invited", "Invited" }, { "disabled", "Disabled" }, { "suspended", "Suspended" }, { "closing", "Closing" }, { "closed", "Closed" },
	{ "approve", "Approve" }, { "manual", "Manual Approve" }, { "manual-timeout", "Manual Approve, automatically after a time" }, { "deny", "Deny" },
	{ "notify", "Notify" }, { "revoke", "Revoke" }, { "revoke-after", "Revoke after a grace period" },
	{ "check", "Check" }, { "lock", "Lock" }, { "kill", "Kill" }, { "level", "Log level" }, { "inventory", "Inventory" }, { "configuration", "Configuration" },
	{ "debug", "Debug" }, { "info", "Info" }, { "warning", "Warning" }, { "error", "Error" },
	{ "off", "Off" }, { "optional", "Optional" }, { "required", "Required" }, { "none", "None" }, { "walk", "Followed" }, { "chain", "Done by the server" },
	{ "server", N_("server") }, { "installation", "Installation" }, { "tenant", "Account" }, { "default", "Default" },
	{ "trial", "Trial" }, { "full", "Full" }, { "linux", "Linux" }, { "windows", "Windows" },
	{ "at-once", "At once" }, { "hourly", "Every hour" }, { "daily", "Daily" }, { "weekly", "Weekly" }, { "monthly", "Monthly" }, { "once", "Only when asked" },
	{ "last-day", "Last 24 hours" }, { "last-week", "Last 7 days" }, { "last-month", "Last 30 days" }, { "last-quarter", "Last 90 days" },
	{ "last-year", "Last 12 months" }, { "day", "Yesterday" }, { "week", "Last week (Monday to Sunday)" }, { "month", "Last month (calendar month)" },
	{ "quarter", "Last quarter" }, { "year", "Last year" }, { "range", "From one day to another" },
	{ "requests", "Keys requested" }, { "waiting", "Time to manual approval" }, { "keys", "Key information" }, { "key-events", "Life of keys" }, { "exports", "Exports of keys" },
	{ "instances", "Instances" }, { "images", "Images" }, { "devices", "Devices" }, { "sign-ins", "Sign-ins" },
	{ "policies", "Policies created, changed and deleted" }, { "approvers", "Who approved" }, { "run-time", "Run time of agents" }, { "access", "Who could read what" },
	{ "meter", "See tenants, licences and what is used of them" }, { "licences", "The same, and issue licences and put them into force", "scope" },
	{ "tenants", "The same, and create, rename, suspend and resume tenants, and set their quotas", "scope" },
	{ "tenants", "Tenants" }, { "tenant-changes", "Changes of tenants" }, { "licences", "Licence use" }, { "licence-codes", "Activation codes" },
	{ "incidents", "Incidents" }, { "backups", "Backups" }, { "operator-sign-ins", "Operators' sign-ins" }, { "operator-acts", "What operators did" },
	{ "tls", "TLS from the start (port 465)", "security" }, { "starttls", "STARTTLS, required (port 587)", "security" },
	{ "opportunistic", "STARTTLS where the server offers it", "security" },
	{ "keys-80", "80 % or more of the licensed keys are in use." }, { "keys-95", "95 % or more of the licensed keys are in use." },
	{ "days-30", "The licence ends within 30 days." }, { "days-7", "The licence ends within 7 days." }, { "days-1", "The licence ends within one day." },
	{ "ended", "Ended" }, { "missing", "Missing" },
};

/* Parts of the server, and what installations have: their names in the log are ours. */
static const char *const own_kinds[] = { "processes", "queue", "database", "disk", "clock", "keys", "mail", "webhooks", "backup", "certificate" };

/* What every account's first policy is called, and described as, by the database (tenant_default_policy). */
static const char *const born[] = { "Default policy", "For new images and devices" };

static const struct entry_member *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (strcmp(members[i].name, name) == 0)
			return &members[i];
	return NULL;
}

json_t *entry_name(const char *name)
{
	const struct entry_member *m = find(name);

	return m ? phrase(m->label) : json_string(name);
}

/* NULL: it is in neither table. */
static json_t *known_reason(const char *text)
{
	json_t *known = known_phrase(reasons_comments, text);

	return known ? known : known_phrase(reasons_known, text);
}

json_t *entry_reason(const char *text)
{
	json_t *known = known_reason(text);

	/* One that has no holes may be a text of the catalogues. */
	return known ? known : phrase(text);
}

int entry_is_sentence(const char *text)
{
	json_t *known = known_reason(text);
	const char *said = json_string_value(json_object_get(known, "say"));
	int is = said && *said && *said != '%';

	json_decref(known);
	return is;
}

int entry_is_own(const char *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(own_kinds); i++)
		if (strcmp(own_kinds[i], kind) == 0)
			return 1;
	return 0;
}

int entry_is_born(const char *kept)
{
	for (size_t i = 0; i < ARRAY_LEN(born); i++)
		if (strcmp(born[i], kept) == 0)
			return 1;
	return 0;
}

json_t *entry_policy(const char *kept)
{
	return entry_is_born(kept) ? phrase(kept) : json_string(kept);
}

json_t *entry_object(const char *kind, const char *name)
{
	if (strcmp(kind, "policy") == 0)
		return entry_policy(name);
	return entry_is_own(kind) ? entry_reason(name) : json_string(name);
}

static json_t *word_said(const char *of, const char *value)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i].name, value) == 0 && (words[i].of == NULL || strcmp(words[i].of, of) == 0))
			return phrase(words[i].label);
	return phrase(value);
}

static json_t *role_said(const char *name)
{
	enum role role;

	if (role_parse(name, 0, &role) == 0 || role_parse(name, 1, &role) == 0)
		return phrase(role_label(role));
	return json_string(name);
}

static json_t *event_said(const char *name)
{
	const struct notice_event *e = notice_event_find(name, 0);

	e = e ? e : notice_event_find(name, 1);
	return e ? phrase(e->label) : json_string(name);
}

static json_t *time_said(const char *text)
{
	clock_us at;

	return clock_parse(text, &at) == 0 ? phrase_at(at) : json_string(text);
}

json_t *entry_comment(const char *text)
{
	json_t *known = known_phrase(reasons_comments, text);

	return known ? known : json_string(text);
}

static json_t *text_said(const struct entry_member *m, const char *text)
{
	switch (m ? m->kind : PLAIN) {
	case WORD:
		return word_said(m->name, text);
	case REASON:
		return entry_reason(text);
	case COMMENT:
		return entry_comment(text);
	case ROLE:
		return role_said(text);
	case EVENT:
		return event_said(text);
	case BORN:
		return entry_policy(text);
	case TIME:
		return time_said(text);
	default:
		return json_string(text);
	}
}

static json_t *number_said(const struct entry_member *m, json_int_t n)
{
	switch (m ? m->kind : PLAIN) {
	case COUNT:
		return json_integer(n);
	case BYTES:
		return phrase_size(n);
	case SECONDS:
		return phrase_span_exact(n);
	default:
		return json_sprintf("%lld", (long long)n);
	}
}

static json_t *value_said(const struct entry_member *m, const json_t *value, int depth);

static json_t *list_said(const struct entry_member *m, const json_t *list, int depth)
{
	json_t *out = json_array(), *one;
	size_t i;

	json_array_foreach(list, i, one)
		json_array_append_new(out, value_said(m, one, depth));
	return out;
}

/* An export is known by its file. */
static int is_unsaid(const struct entry_member *m)
{
	return m && m->kind == UNSAID;
}

static json_t *object_said(const json_t *object, const char *but, int depth)
{
	json_t *out = json_array(), *value;
	const char *name;

	json_object_foreach((json_t *)(uintptr_t)object, name, value)
		if (strcmp(name, but) != 0 && !json_is_null(value) && !is_unsaid(find(name)))
			json_array_append_new(out, phrase_say("%{name}: %{value}", "name", entry_name(name), "value", value_said(find(name), value, depth), NULL));
	return out;
}

static json_t *as_json(const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
	json_t *out = json_string(text ? text : "");

	free(text);
	return out;
}

/* Lists of objects (rules, groups' roles) are documents of their own. */
static json_t *value_said(const struct entry_member *m, const json_t *value, int depth)
{
	if (json_is_string(value))
		return text_said(m, json_string_value(value));
	if (json_is_integer(value))
		return number_said(m, json_integer_value(value));
	if (json_is_boolean(value))
		return phrase(json_is_true(value) ? N_("yes") : N_("no"));
	if (json_is_null(value) || value == NULL)
		return json_null();
	if (json_is_array(value) && !json_is_object(json_array_get(value, 0)) && depth < ENTRY_DEPTH_MAX)
		return list_said(m, value, depth + 1);
	if (json_is_object(value) && depth < ENTRY_DEPTH_MAX)
		return object_said(value, "", depth + 1);
	return as_json(value);
}

json_t *entry_value(const char *name, const json_t *value)
{
	return value_said(find(name), value, 0);
}

/* Takes PHRASE over. */
static void set_said(json_t *o, const char *name, const struct words *w, json_t *phrase)
{
	char *text = words_phrase_text(w, phrase);

	json_set_string(o, name, text);
	free(text);
	json_decref(phrase);
}

static void set_time(json_t *o, const struct words *w, const json_t *item)
{
	const char *kept = json_string_value(json_object_get(item, "time"));
	char *text = kept ? words_local(w, kept) : NULL;

	if (text)
		json_set_string(o, "time", text);
	free(text);
}

json_t *entry_item(const struct words *w, const json_t *item)
{
	static const char *const said[] = { "event", "severity", "comment", "about" };
	size_t count = ARRAY_LEN(said) - !json_is_true(json_object_get(item, "own"));
	json_t *out = json_copy((json_t *)(uintptr_t)item);

	for (size_t i = 0; i < count; i++)
		if (json_is_string(json_object_get(item, said[i])))
			set_said(out, said[i], w, entry_reason(json_string_value(json_object_get(item, said[i]))));
	if (json_is_string(json_object_get(item, "policy")))
		set_said(out, "policy", w, entry_policy(json_string_value(json_object_get(item, "policy"))));
	set_time(out, w, item);
	return out;
}

json_t *entry_detail(const json_t *detail)
{
	json_t *out = object_said(detail, "changes", 0);

	if (json_array_size(out))
		return out;
	json_decref(out);
	return NULL;
}
