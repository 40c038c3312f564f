/* deep_security.c - questions to tenants' Deep Security Managers (ADM-4). */
#include "jobs/deep_security.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "outside/deep_security.h"
#include "store/deep_security.h"
#include "store/request.h"
#include "store/tenant.h"

/* A connection, ready to be used. */
struct manager {
	json_t *row;
	struct https_server server;
	struct secret *api_key;
};

static int reveal(struct work *w, const struct buf *wrapped, const struct buf *blob, struct secret **out)
{
	const struct keys_object object = { .tenant = w->job->tenant, .wrapped_tenant = wire_view_of(wrapped),
		.purpose = DEEP_SECURITY_PURPOSE, .object = w->job->tenant };

	return keys_reveal(w->keys, &w->job->id, &object, wire_view_of(blob), out);
}

static int read_connection(struct work *w, const struct uuid *instance, struct manager *m, char **host_name)
{
	struct buf wrapped = BUF_INIT, blob = BUF_INIT;
	int rc = work_begin(w);

	if (rc == 0)
		rc = deep_security_connection(w->db, &m->row, &blob);
	if (rc == 0 && instance)
		rc = deep_security_host(w->db, instance, host_name);
	if (rc == 0)
		rc = tenant_key(w->db, &wrapped);
	db_rollback(w->db);
	if (rc == 0)
		rc = reveal(w, &wrapped, &blob, &m->api_key);
	if (rc == 0)
		m->server = (struct https_server){ json_string_value(json_object_get(m->row, "url")),
			json_string_value(json_object_get(m->row, "ca")), strcmp(conf_get(w->conf, CONF_OUTSIDE_LOCAL), "yes") == 0 };
	buf_free(&blob);
	buf_free(&wrapped);
	return rc;
}

static void release(struct manager *m)
{
	secret_free(m->api_key);
	json_decref(m->row);
}

/* Keeps what was said, or why nothing was: an error of the other side is an answer, not a failed job. */
static int keep(struct work *w, const struct manager *m, const struct uuid *instance, const char *host_name, const json_t *facts,
	const char *error)
{
	const char *since = json_string_value(json_object_get(m->row, "since"));
	int rc = work_begin(w);

	if (rc == 0)
		rc = instance ? deep_security_keep(w->db, instance, since, host_name, facts, error) : deep_security_tested(w->db, since, error);
	return db_end(w->db, rc);
}

/* Whoever waited for the answer. It was kept before: by this clock it is not from the future. */
static int judge(struct work *w, const struct uuid *instance)
{
	int rc = work_begin(w);

	if (rc == 0)
		rc = request_judge_awaiting(w->db, instance, clock_now());
	return db_end(w->db, rc);
}

int deep_security_job_test(struct work *w)
{
	struct manager m = { .row = NULL };
	int rc = read_connection(w, NULL, &m, NULL);

	/* It was switched off meanwhile. */
	if (rc == ERR_NOT_FOUND)
		return 0;
	if (rc == 0)
		rc = deep_security_test(&m.server, m.api_key);
	rc = keep(w, &m, NULL, NULL, NULL, rc < 0 ? err_text() : NULL);
	release(&m);
	return rc;
}

int deep_security_job_ask(struct work *w)
{
	struct manager m = { .row = NULL };
	struct uuid instance;
	json_t *facts = NULL;
	char *host_name = NULL;
	int rc = json_get_uuid(w->job->payload, "instance", &instance);

	if (rc == 0)
		rc = read_connection(w, &instance, &m, &host_name);
	if (rc == 0) {
		rc = deep_security_look_up(&m.server, m.api_key, host_name, &facts);
		rc = keep(w, &m, &instance, host_name, facts, rc < 0 ? err_text() : NULL);
	}
	json_decref(facts);
	free(host_name);
	release(&m);
	/* Switched off, or the machine is gone: then nobody needs to wait any more either. */
	return rc == 0 || rc == ERR_NOT_FOUND ? judge(w, &instance) : rc;
}
