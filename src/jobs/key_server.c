/* key_server.c - looks at a key server, so that an outage shows within seconds and everybody else need not find it out; and destroys keys
 * there whose last reference is gone. Each step is claimed first: whoever is killed in between leaves it to be done again. */
#include "jobs/key_server.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "keys/client_server.h"
#include "store/key_server.h"
#include "store/rewrap.h"

#define DESTROY_MOST 50                  /* in one job */

static struct keys_server server_of(const struct work *w, const struct key_server *s, const struct buf *wrapped_tenant)
{
	return keys_server_of(w->conf, s->owner == KEY_SERVER_TENANT ? &w->job->tenant : NULL, wrapped_tenant, &s->key, &s->settings);
}

/* 1 when RC, what a question to the key server gave, is its own: the key service itself answers and has its root key. */
static int is_servers(struct work *w, int rc)
{
	struct keys_status status;

	return rc == 0 || (rc != ERR_SEALED && keys_status(w->keys, &status) == 0);
}

static int begin_look(struct work *w, enum key_server_owner o, struct key_server *s, struct buf *wrapped_tenant)
{
	struct uuid former;
	int rc = work_begin(w), due = rc == 0 ? key_server_claim(w->db, o) : rc;

	rc = due < 0 ? due : 0;
	if (due > 0)
		rc = key_server_get(w->db, o, s);
	if (due > 0 && rc == 0 && o == KEY_SERVER_TENANT)
		rc = tenant_keys_get(w->db, wrapped_tenant, &former);
	rc = db_end(w->db, rc);
	return rc < 0 ? rc : due;
}

static int end_look(struct work *w, enum key_server_owner o, const char *error, const char *says)
{
	int rc = work_begin(w);

	if (rc == 0)
		rc = key_server_note(w->db, o, error, says);
	return db_end(w->db, rc);
}

static int look(struct work *w, enum key_server_owner o)
{
	struct buf wrapped_tenant = BUF_INIT, says = BUF_INIT;
	struct key_server s = { 0 };
	char why[256];
	int rc = begin_look(w, o, &s, &wrapped_tenant);

	if (rc > 0) {
		struct keys_server server = server_of(w, &s, &wrapped_tenant);

		rc = keys_server_test(w->keys, &w->job->id, &server, &says);
		snprintf(why, sizeof why, "%s", keys_server_reason());
		/* What is nothing about it is looked at again when the claim ends. */
		rc = is_servers(w, rc) ? end_look(w, o, rc < 0 ? why : NULL, buf_str(&says)) : 0;
	}
	key_server_free(&s);
	buf_free(&wrapped_tenant);
	buf_free(&says);
	/* Removed meanwhile. */
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int next_gone(struct work *w, struct key_server_gone *g, struct key_server *s, struct buf *wrapped_tenant)
{
	struct uuid former;
	int rc = work_begin(w);

	if (rc == 0)
		rc = key_server_gone_next(w->db, g, s);
	if (rc == 0)
		rc = tenant_keys_get(w->db, wrapped_tenant, &former);
	return db_end(w->db, rc);
}

static int destroy(struct work *w, const struct key_server_gone *g, const struct key_server *s, const struct buf *wrapped_tenant)
{
	struct keys_device which = { .tenant = w->job->tenant, .wrapped_tenant = wire_view_of(wrapped_tenant), .device = g->device,
		.version = (uint32_t)g->version };
	struct keys_server server = server_of(w, s, wrapped_tenant);
	char why[256];
	int rc = keys_server_destroy(w->keys, &w->job->id, &server, &which, wire_view_of(&g->wrapped)), done = rc;

	snprintf(why, sizeof why, "%s", keys_server_reason());
	rc = work_begin(w);
	if (rc == 0)
		rc = key_server_gone_note(w->db, g, s->owner, done < 0 ? why : NULL);
	return db_end(w->db, rc);
}

static int destroy_all(struct work *w)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < DESTROY_MOST; i++) {
		struct buf wrapped_tenant = BUF_INIT;
		struct key_server_gone g = { .version = 0 };
		struct key_server s = { 0 };

		rc = next_gone(w, &g, &s, &wrapped_tenant);
		if (rc == 0)
			rc = destroy(w, &g, &s, &wrapped_tenant);
		buf_free(&g.wrapped);
		key_server_free(&s);
		buf_free(&wrapped_tenant);
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int key_server_job(struct work *w)
{
	int rc = look(w, w->job->has_tenant ? KEY_SERVER_TENANT : KEY_SERVER_INSTALLATION);

	return rc < 0 || !w->job->has_tenant ? rc : destroy_all(w);
}
