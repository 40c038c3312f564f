/* heartbeat.c - signs of life: gathered in the worker and written together once a second; orders go out with the answer. What a
 * killed worker had gathered is lost, which is a heartbeat that came a little later. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentapi/service.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/heartbeat.h"
#include "store/order.h"

#define INTERVAL_S 10
#define GATHERED_MAX 4096        /* per worker; before there are more they are written */

struct gathered {
	struct uuid account;
	struct heartbeat beat;
	json_t *volumes;
	char version[PROTO_WORD_MAX + 1], log_level[PROTO_WORD_MAX + 1], address[WEB_ADDRESS_SIZE];
};

static struct gathered gathered[GATHERED_MAX];
static size_t gathered_count;

static json_t *volumes_of(const struct proto_heartbeat *m)
{
	json_t *list = json_array();

	for (int i = 0; i < m->volumes_count; i++) {
		json_t *row = json_object();

		json_set_string(row, "device", m->volumes[i].device);
		json_set_string(row, "status", proto_volume_status_names[m->volumes[i].status]);
		json_set_string(row, "detail", m->volumes[i].detail);
		json_array_append_new(list, row);
	}
	return list;
}

static void gather(struct agent_call *c, const struct proto_heartbeat *m)
{
	struct gathered *g = &gathered[gathered_count++];

	g->account = c->account;
	g->volumes = volumes_of(m);
	snprintf(g->version, sizeof g->version, "%s", m->agent_version);
	snprintf(g->log_level, sizeof g->log_level, "%s", m->log_level);
	snprintf(g->address, sizeof g->address, "%s", c->frame->request->address);
	g->beat = (struct heartbeat){ .agent = c->agent, .at = c->frame->now, .volumes = g->volumes, .version = g->version,
		.log_level = g->log_level, .address = g->address };
}

static int by_account(const void *a, const void *b)
{
	const struct gathered *x = a, *y = b;
	int order = memcmp(x->account.bytes, y->account.bytes, sizeof x->account.bytes);

	return order ? order : memcmp(x->beat.agent.bytes, y->beat.agent.bytes, sizeof x->beat.agent.bytes);
}

static int write_account(struct db *db, const struct gathered *first, size_t count)
{
	struct heartbeat *beats = mem_array(count, sizeof *beats);
	struct db_actor actor = { .kind = DB_ACTOR_SYSTEM, .name = "agent service" };
	int rc = db_begin(db, &first->account, &actor);

	for (size_t i = 0; i < count; i++) {
		beats[i] = first[i].beat;
		/* Sorting has moved them. */
		beats[i].version = first[i].version;
		beats[i].log_level = first[i].log_level;
		beats[i].address = first[i].address;
	}
	if (rc == 0)
		rc = heartbeat_write(db, beats, count);
	if (rc == 0)
		rc = db_commit(db);
	db_rollback(db);
	free(beats);
	return rc;
}

void agentapi_tick(struct web_thread *t)
{
	struct db *db = web_thread_db(t, WEB_AGENTS);

	qsort(gathered, gathered_count, sizeof gathered[0], by_account);
	for (size_t i = 0, n; i < gathered_count; i += n) {
		for (n = 1; i + n < gathered_count && uuid_equal(&gathered[i].account, &gathered[i + n].account); n++)
			;
		if (write_account(db, &gathered[i], n) < 0)
			log_warning("heartbeats not written", "why", err_text(), NULL);
	}
	for (size_t i = 0; i < gathered_count; i++)
		json_decref(gathered[i].volumes);
	gathered_count = 0;
}

void heartbeat_make_room(struct frame_call *c)
{
	if (gathered_count == GATHERED_MAX)
		agentapi_tick(c->thread);
}

static enum proto_order_kind order_kind(const char *name)
{
	for (int i = 1; name && proto_order_names[i]; i++)
		if (strcmp(proto_order_names[i], name) == 0)
			return (enum proto_order_kind)i;
	return PROTO_ORDER_UNKNOWN;
}

static int give_orders(struct agent_call *c, struct proto_heartbeat_answer *answer)
{
	json_t *orders = NULL;
	const json_t *row;
	size_t i;
	int fresh = 0, rc = order_take(c->db, &c->agent, PROTO_ORDERS_MAX, &orders);

	if (rc < 0)
		return rc;
	json_array_foreach(orders, i, row) {
		struct proto_order *o = &answer->orders[answer->orders_count];
		const char *device = "", *argument = "";

		o->kind = order_kind(json_string_value(json_object_get(row, "kind")));
		if (json_get_uuid(row, "id", &o->id) < 0 || o->kind == PROTO_ORDER_UNKNOWN)
			continue;
		json_get_string_opt(row, "device", PROTO_ID_MAX, &device);
		json_get_string_opt(row, "argument", PROTO_TEXT_MAX, &argument);
		snprintf(o->device, sizeof o->device, "%s", device);
		snprintf(o->argument, sizeof o->argument, "%s", argument);
		answer->orders_count++;
		fresh |= o->kind == PROTO_ORDER_CHECK || o->kind == PROTO_ORDER_REQUEST_KEY;
	}
	json_decref(orders);
	/* Facts will follow: they must be those that the rules ask for by now. */
	return fresh ? agent_watch(c, answer->watch_files, &answer->watch_files_count) : 0;
}

int message_heartbeat(struct agent_call *c)
{
	const struct proto_heartbeat *m = c->message;
	struct proto_heartbeat_answer *answer = c->answer;
	int rc = 0;

	for (int i = 0; rc == 0 && i < m->results_count; i++) {
		rc = order_finish(c->db, &c->agent, &m->results[i].order, m->results[i].done, m->results[i].detail);
		if (rc == ERR_NOT_FOUND)
			rc = 0;
	}
	if (rc == 0 && m->insecure_tls)
		rc = agent_set_insecure(c->db, &c->agent, 1);
	if (rc == 0)
		rc = give_orders(c, answer);
	if (rc < 0)
		return rc;
	gather(c, m);
	answer->next_s = INTERVAL_S;
	return 0;
}
