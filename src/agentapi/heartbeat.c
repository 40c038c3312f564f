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

#define INTERVAL_S 10            /* where no line is held */
#define FULL_INTERVAL_S 30       /* where there are too many; each of them costs a TLS handshake */
#define SPREAD_S 30              /* agents that are sent away together come back within this time, not together */
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
		.log_level = g->log_level, .address = g->address, .insecure_tls = m->insecure_tls };
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

/* One agent's trouble is not its account's: what cannot be written together is written one by one. */
static void write_all(struct db *db, const struct gathered *first, size_t count)
{
	int rc = write_account(db, first, count);

	if (rc < 0)
		log_warning("heartbeats not written", "why", err_text(), NULL);
	for (size_t i = 0; count > 1 && i < count && rc < 0 && rc != ERR_UNAVAILABLE; i++)
		if (write_account(db, &first[i], 1) < 0)
			log_warning("heartbeat not written", "why", err_text(), NULL);
}

void agentapi_tick(struct web_thread *t)
{
	struct db *db = web_thread_db(t, WEB_AGENTS);

	hold_tick();
	qsort(gathered, gathered_count, sizeof gathered[0], by_account);
	for (size_t i = 0, n; i < gathered_count; i += n) {
		for (n = 1; i + n < gathered_count && uuid_equal(&gathered[i].account, &gathered[i + n].account); n++)
			;
		write_all(db, &gathered[i], n);
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

static int is_begun(const struct proto_heartbeat *m, const struct uuid *order)
{
	for (int i = 0; m && i < m->begun_count; i++)
		if (uuid_equal(&m->begun[i].order, order))
			return 1;
	return 0;
}

/* All that are not finished but those that the agent is at; M: NULL when that is not known. */
static int give_orders(struct agent_call *c, const struct proto_heartbeat *m, struct proto_heartbeat_answer *answer)
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
		if (json_get_uuid(row, "id", &o->id) < 0 || o->kind == PROTO_ORDER_UNKNOWN || is_begun(m, &o->id))
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

/* What was decided after the agent had asked and before its line is held: nobody was there to be told. Only agents that wait for a decision
 * cost this question. */
static int look_for_decisions(struct agent_call *c, const struct proto_heartbeat *m, struct proto_heartbeat_answer *answer)
{
	struct uuid waits[PROTO_DEVICES_MAX];
	size_t count = 0;
	int rc;

	for (int i = 0; i < m->volumes_count; i++)
		if (m->volumes[i].pending)
			waits[count++] = m->volumes[i].request;
	rc = count ? request_any_decided(c->db, waits, count) : 0;
	answer->poll = rc > 0;
	return rc < 0 ? rc : 0;
}

/* What the agent wished: to be answered when there is something. */
static void hold(struct agent_call *c, int64_t wish, enum hold_answer may, struct proto_heartbeat_answer *answer)
{
	answer->next_s = may == HOLD_FULL ? FULL_INTERVAL_S : INTERVAL_S;
	if (wish == 0)
		return;
	c->frame->last = may == HOLD_FULL;
	answer->held = may == HOLD_YES;
	if (may == HOLD_YES && answer->orders_count == 0 && !answer->poll)
		c->hold_s = wish;
}

int message_heartbeat(struct agent_call *c)
{
	const struct proto_heartbeat *m = c->message;
	struct proto_heartbeat_answer *answer = c->answer;
	enum hold_answer may = m->wait_s > 0 ? hold_ready(c->frame->thread) : HOLD_DEAF;
	int rc = 0;

	for (int i = 0; rc == 0 && i < m->results_count; i++) {
		rc = order_finish(c->db, &c->agent, &m->results[i].order, m->results[i].done, m->results[i].detail);
		if (rc == ERR_NOT_FOUND)
			rc = 0;
	}
	if (rc == 0)
		rc = give_orders(c, m, answer);
	if (rc == 0)
		rc = look_for_decisions(c, m, answer);
	if (rc < 0)
		return rc;
	gather(c, m);
	hold(c, m->wait_s, may, answer);
	return 0;
}

/* A database that is away then costs no more than that the orders come with a later heartbeat. */
static int look_again(struct agent_call *c, struct proto_heartbeat_answer *answer)
{
	int rc = frame_begin(c->frame, &c->account, &c->agent);

	if (rc == 0)
		rc = give_orders(c, NULL, answer);
	if (rc == 0)
		rc = db_commit(c->db);
	db_rollback(c->db);
	if (rc < 0) {
		log_warning("orders not read", "why", err_text(), "request", c->frame->request_text, NULL);
		answer->orders_count = answer->watch_files_count = 0;
	}
	return rc;
}

static int64_t spread(void)
{
	uint32_t r = 0;

	proto_random(&r, sizeof r);
	return 1 + r % SPREAD_S;
}

void heartbeat_resume(struct agent_call *c, enum hold_end why)
{
	struct proto_heartbeat_answer *answer = c->answer;

	answer->next_s = why == HOLD_LOST || why == HOLD_STOP ? spread() : INTERVAL_S;
	answer->held = why == HOLD_OVER || (why == HOLD_NOTIFIED && look_again(c, answer) == 0);
	answer->poll = answer->held && why == HOLD_NOTIFIED;
}
