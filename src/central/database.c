/* database.c - the page Database (ADM-2): how the installation is connected to it, how safely, who uses it, how large it is. Nothing can be changed here:
 * connection strings are in keyward.conf. */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "central/pages.h"
#include "store/health.h"
#include "web/diagram.h"
#include "web/doc.h"

#define TABLES_SHOWN 12
#define KIB_MOST (10 << 20)      /* the largest one: smaller ones are told in KiB */

static const struct {
	enum conf_setting setting;
	const char *name, *role, *use;
} connections[] = {
	{ CONF_DATABASE_CENTRAL, "database.central", "keyward_central", "This console" },
	{ CONF_DATABASE_CONSOLE, "database.console", "keyward_console", "Tenants' console" },
	{ CONF_DATABASE_AGENT, "database.agent", "keyward_agent", "Agent service" },
	{ CONF_DATABASE_JOBS, "database.jobs", "keyward_jobs", "Job processes" },
	{ CONF_DATABASE_OWNER, "database.owner", "keyward_owner", "Migrations alone" },
};

static const char *setting_of(const json_t *row, const char *name)
{
	const json_t *s;
	size_t i;

	json_array_foreach(json_object_get(row, "settings"), i, s)
		if (strcmp(doc_text(s, "name"), name) == 0)
			return doc_text(s, "value");
	return "";
}

static json_t *protection_of(const struct call *c, const json_t *row)
{
	const char *host = setting_of(row, "host"), *mode = setting_of(row, "sslmode");
	int here = strncmp(host, "127.", 4) == 0 || strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0;

	if (*host == '\0' || *host == '/')
		return doc_badge(c, "Socket on this machine", "green");
	/* What holds where nothing is said: store/link.c. */
	if (*mode == '\0' || strcmp(mode, "verify-full") == 0)
		return doc_badge(c, "TLS, certificate and name checked", "green");
	if (strcmp(mode, "verify-ca") == 0)
		return doc_badge(c, "TLS, certificate checked", "green");
	if (strcmp(mode, "require") == 0)
		return doc_badge(c, "TLS, server not checked", "yellow");
	return doc_badge(c, here ? "This machine, without TLS" : "Not protected", here ? "green" : "red");
}

static const json_t *session_of(const json_t *sessions, const char *role)
{
	const json_t *s;
	size_t i;

	json_array_foreach(sessions, i, s)
		if (strcmp(doc_text(s, "role"), role) == 0)
			return s;
	return NULL;
}

static json_t *connection_of(struct call *c, size_t i, const json_t *sessions)
{
	const json_t *s = session_of(sessions, connections[i].role);
	json_t *row = json_pack("{s:s, s:s, s:s, s:o}", "setting", connections[i].name, "role", connections[i].role, "use", call_translate(c, connections[i].use), "settings",
		health_conninfo(conf_get(c->conf, connections[i].setting)));

	json_object_set_new(row, "protection", protection_of(c, row));
	json_object_set_new(row, "sessions", json_integer(json_integer_value(json_object_get(s, "sessions"))));
	json_object_set_new(row, "active", json_integer(json_integer_value(json_object_get(s, "active"))));
	json_object_set_new(row, "longest", s && !json_is_null(json_object_get(s, "longest")) ? json_incref(json_object_get(s, "longest")) : json_null());
	return row;
}

static const struct diagram_part in_kib[] = { { "shown", "KiB", 1 }, { NULL, NULL, 0 } }, in_mib[] = { { "shown", "MiB", 1 }, { NULL, NULL, 0 } };

static int set_tables(struct call *c)
{
	json_t *tables = NULL, *t;
	size_t i;
	int rc = health_tables(c->db, TABLES_SHOWN, &tables), small;

	if (rc < 0)
		return rc;
	small = json_integer_value(json_object_get(json_array_get(tables, 0), "bytes")) < KIB_MOST;
	json_array_foreach(tables, i, t) {
		int64_t bytes = json_integer_value(json_object_get(t, "bytes"));

		json_object_set_new(t, "shown", json_integer((json_int_t)(bytes >> (small ? 10 : 20))));
		json_object_set_new(t, "size", doc_size(c, bytes));
	}
	call_set(c, "chart", diagram_rows(c, "Largest tables", tables, small ? in_kib : in_mib));
	call_set(c, "tables", tables);
	return 0;
}

static int set_connections(struct call *c)
{
	json_t *sessions = NULL, *list = json_array();
	int rc = health_sessions(c->db, &sessions);

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(connections); i++)
		json_array_append_new(list, connection_of(c, i, sessions));
	call_set(c, "connections", list);
	json_decref(sessions);
	return rc;
}

int database_page(struct call *c)
{
	json_t *d = NULL, *shown_row;
	int rc = health_database(c->db, &d), tls;

	if (rc < 0)
		return rc;
	tls = json_is_true(json_object_get(d, "tls"));
	shown_row = json_pack("{s:s, s:s, s:o, s:o, s:O, s:O, s:b, s:b, s:s?, s:s?, s:s?, s:O}", "version", doc_text(d, "version"), "schema", doc_text(d, "schema"), "size",
		doc_size(c, json_integer_value(json_object_get(d, "size"))), "started", doc_when(c, d, "started"), "connections", json_object_get(d, "connections"), "most",
		json_object_get(d, "most"), "standby", json_is_true(json_object_get(d, "standby")), "tls", tls, "tls_version", doc_optional(d, "tls_version"), "cipher",
		doc_optional(d, "cipher"), "address", doc_optional(d, "address"), "longest", json_object_get(d, "uncommitted"));
	json_object_set_new(shown_row, "line", tls ? doc_badge(c, "TLS", "green") : doc_optional(d, "address") ? doc_badge(c, "Without TLS", "red") : doc_badge(c, "Socket", "green"));
	call_set(c, "database", shown_row);
	json_decref(d);
	rc = set_connections(c);
	return rc < 0 ? rc : set_tables(c);
}
