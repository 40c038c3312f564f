/* hold.c - the table of held heartbeats of one worker, and what ends each. */
#include "agentapi/hold.h"

#include <stdlib.h>
#include <string.h>

#include "agentapi/together.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/order.h"

#define BUCKETS 16384
#define RETRY_LEAST CLOCK_SECOND
#define RETRY_MOST (30 * CLOCK_SECOND)

static struct agentapi_held *buckets[BUCKETS];
static unsigned held_count;
struct agentapi_hooks hold_hooks;

static struct web_thread ear;            /* has but the connection that listens */
static int listens, ever_listened, stopped;
static clock_us retry, retry_at;         /* clock_ticks() */

/* The table */

/* Ids are random in their last eight bytes. */
static struct agentapi_held **bucket_of(const struct uuid *agent)
{
	uint64_t h;

	memcpy(&h, agent->bytes + sizeof agent->bytes - sizeof h, sizeof h);
	return &buckets[h % BUCKETS];
}

/* Where the agent's is linked in, or the end of its bucket. */
static struct agentapi_held **find(const struct uuid *agent)
{
	struct agentapi_held **at = bucket_of(agent);

	while (*at && !uuid_equal(&(*at)->agent, agent))
		at = &(*at)->next;
	return at;
}

/* Out of the table; the owner comes for the rest with agentapi_finish or agentapi_drop. */
static void end_at(struct agentapi_held **at, enum hold_end why)
{
	struct agentapi_held *h = *at;

	*at = h->next;
	held_count--;
	h->end = why;
	hold_hooks.wake(h->owner);
}

/* Those that were to be answered by UNTIL; 0: all. */
static void end_all(clock_us until, enum hold_end why)
{
	for (size_t i = 0; i < BUCKETS && held_count > 0; i++)
		for (struct agentapi_held **at = &buckets[i]; *at;)
			if (until == 0 || (*at)->until <= until)
				end_at(at, why);
			else
				at = &(*at)->next;
}

struct agentapi_held *hold_begin(const struct uuid *account, const struct uuid *agent, struct proto_reply *reply, int64_t seconds,
	void *owner)
{
	struct agentapi_held *h = mem_alloc(sizeof *h), **at = find(agent);

	if (*at)
		end_at(at, HOLD_REPLACED);
	*h = (struct agentapi_held){ .account = *account, .agent = *agent, .reply = *reply,
		.until = clock_ticks() + seconds * CLOCK_SECOND, .owner = owner };
	proto_reply_wipe(reply);
	h->next = *bucket_of(agent);
	*bucket_of(agent) = h;
	held_count++;
	return h;
}

void hold_tick(void)
{
	end_all(clock_ticks(), HOLD_OVER);
}

static void forget(struct agentapi_held *h)
{
	struct agentapi_held **at = find(&h->agent);

	if (*at == h) {
		*at = h->next;
		held_count--;
	}
}

void agentapi_drop(struct agentapi_held *h)
{
	if (h == NULL)
		return;
	if (h->end == HOLD_NOT_YET)
		(h->is_poll ? together_forget : forget)(h);
	proto_reply_wipe(&h->reply);
	buf_free(&h->text);
	free(h);
}

/* The connection that listens */

void agentapi_start(struct web_thread *t, const struct agentapi_hooks *given)
{
	hold_hooks = *given;
	web_thread_init(&ear, t->web);
}

void agentapi_stop(struct web_thread *t)
{
	agentapi_tick(t);
	together_stop(t);
	end_all(0, HOLD_STOP);
	web_thread_free(&ear);
	listens = 0;
	/* What comes in while the last answers go out is answered at once: there is nothing to listen with any more. */
	stopped = 1;
}

static void lost(void)
{
	listens = 0;
	log_warning("orders reach agents with their next heartbeat only: not listening to the database", "why", err_text(), NULL);
	end_all(0, HOLD_LOST);
}

void agentapi_notified(void)
{
	char text[UUID_TEXT_SIZE];
	struct uuid agent;
	int rc;

	if (!listens)
		return;
	while ((rc = db_notified(web_thread_db(&ear, WEB_AGENTS), text, sizeof text)) > 0) {
		struct agentapi_held **at;

		if (uuid_parse(text, &agent) == 0 && *(at = find(&agent)) != NULL)
			end_at(at, HOLD_NOTIFIED);
	}
	if (rc < 0)
		lost();
}

static int connect_ear(struct db *db)
{
	/* The first time it is asked for the channel; later db_wait brings the connection back with it. */
	int rc = ever_listened ? db_wait(db, 0) : db_listen(db, ORDER_CHANNEL);

	ever_listened = 1;
	return rc < 0 ? rc : 0;
}

static void listen_again(void)
{
	struct db *db = web_thread_db(&ear, WEB_AGENTS);

	if (clock_ticks() < retry_at)
		return;
	if (connect_ear(db) < 0) {
		retry = retry ? retry * 2 : RETRY_LEAST;
		retry_at = clock_ticks() + (retry < RETRY_MOST ? retry : (retry = RETRY_MOST));
		return;
	}
	retry = retry_at = 0;
	listens = 1;
	hold_hooks.watch(db_socket(db));
}

enum hold_answer hold_ready(struct web_thread *t)
{
	if (!listens && !stopped)
		listen_again();
	return !listens ? HOLD_DEAF : held_count >= HOLD_MAX ? HOLD_FULL : HOLD_YES;
}
