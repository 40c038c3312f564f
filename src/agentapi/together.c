/* together.c - polls for keys, several at a time: loaded, sealed, written and committed together, and only then answered. */
#include "agentapi/together.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentapi/service.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/request.h"

/* One of those that are being answered. */
struct one {
	struct agentapi_held *held;
	struct web_request request;
	struct frame_call frame;
	struct agent_call call;
	struct proto_key_poll message;
	int answered;                    /* HELD->text is what it gets, if the transaction can be committed */
};

static struct agentapi_held *first, **end = &first;
static int stopped;

int together_takes(void)
{
	return hold_hooks.soon != NULL && !stopped;
}

struct agentapi_held *together_add(const struct uuid *account, const struct uuid *agent, const struct uuid *asked, struct proto_reply *reply,
	void *owner)
{
	struct agentapi_held *h = mem_alloc(sizeof *h);

	*h = (struct agentapi_held){ .account = *account, .agent = *agent, .is_poll = 1, .asked = *asked, .reply = *reply, .owner = owner };
	proto_reply_wipe(reply);
	if (first == NULL)
		hold_hooks.soon();
	*end = h;
	end = &h->next;
	return h;
}

void together_forget(struct agentapi_held *h)
{
	struct agentapi_held **at = &first;

	while (*at && *at != h)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = h->next;
	if (end == &h->next)
		end = at;
}

/* The same request twice comes together with itself: the second one is answered alone, after the first. */
static int by_request(const void *a, const void *b)
{
	const struct agentapi_held *x = ((const struct one *)a)->held, *y = ((const struct one *)b)->held;
	int order = memcmp(&x->account, &y->account, sizeof x->account);

	return order ? order : memcmp(&x->asked, &y->asked, sizeof x->asked);
}

static size_t take(struct one *ones)
{
	size_t count = 0;

	while (first && count < REQUEST_POLLS_MAX) {
		ones[count++].held = first;
		first = first->next;
	}
	if (first == NULL)
		end = &first;
	else if (!stopped)
		hold_hooks.soon();
	qsort(ones, count, sizeof *ones, by_request);
	return count;
}

static void prepare(struct one *o, struct web_thread *t)
{
	const struct agentapi_held *h = o->held;

	frame_of_held(&o->frame, t, h, &o->request);
	o->message.request = h->asked;
	o->call = (struct agent_call){ .frame = &o->frame, .db = o->frame.db, .account = h->account, .agent = h->agent, .message = &o->message,
		.waited = 1 };
}

static void load_all(struct one *ones, size_t count, struct request_poll *polls, struct one **of, size_t *loaded)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		const struct agentapi_held *h = ones[i].held;

		if (i > 0 && by_request(&ones[i - 1], &ones[i]) == 0)
			continue;
		polls[n] = (struct request_poll){ .account = h->account, .agent = h->agent, .request = h->asked, .address = ones[i].request.address,
			.web_request = ones[i].frame.request_text };
		of[n++] = &ones[i];
	}
	*loaded = n;
}

/* Why the key service is not there: who comes later in the same transaction does not wait for it once more. */
struct away {
	int code;
	char why[256];
};

/* A key that cannot be sealed is its own agent's trouble. */
static void answer_one(struct one *o, struct request_poll *p, struct proto_key_answer *answer, struct away *away)
{
	int released = p->k.status == REQUEST_APPROVED || p->k.status == REQUEST_DELIVERED, rc;

	memset(answer, 0, sizeof *answer);
	rc = away->code && released ? err_set(away->code, "%s", away->why) : key_answer_plain(&o->call, &p->k, &p->keys, answer);
	p->deliver = rc == 0 && released;
	if ((rc == ERR_UNAVAILABLE || rc == ERR_TIMEOUT) && !away->code) {
		away->code = rc;
		snprintf(away->why, sizeof away->why, "%s", err_text());
	}
	message_encode(&o->call, PROTO_KEY_POLL, rc, answer, &o->held->text);
	o->answered = 1;
}

/* All or none, as far as the database goes. */
static int answer_plain(struct db *db, struct one **of, struct request_poll *polls, size_t count)
{
	const struct db_actor actor = { .kind = DB_ACTOR_SYSTEM, .name = "agent service" };
	struct proto_key_answer *answer = proto_answer_new(PROTO_KEY_POLL);
	struct away away = { 0 };
	int rc = db_begin(db, NULL, &actor);

	if (rc == 0)
		rc = request_load_polls(db, polls, count);
	for (size_t i = 0; rc == 0 && i < count; i++)
		if (polls[i].found && key_is_plain(&of[i]->call, &polls[i].k, &polls[i].keys))
			answer_one(of[i], &polls[i], answer, &away);
	if (rc == 0)
		rc = request_deliver_polls(db, polls, count);
	if (rc == 0)
		rc = db_commit(db);
	db_rollback(db);
	proto_answer_free(PROTO_KEY_POLL, answer);
	return rc;
}

/* No key leaves that was not committed. */
static void take_back(struct one **of, size_t count, int rc)
{
	log_warning("polls for keys are answered one by one", "code", err_name(rc), "why", err_text(), NULL);
	for (size_t i = 0; i < count; i++) {
		buf_free(&of[i]->held->text);
		of[i]->held->text = (struct buf)BUF_INIT;
		of[i]->answered = 0;
		/* Without a database none of them has to wait for that by itself. */
		if (rc == ERR_UNAVAILABLE) {
			message_encode(&of[i]->call, PROTO_KEY_POLL, rc, NULL, &of[i]->held->text);
			of[i]->answered = 1;
		}
	}
}

static void answer_some(struct web_thread *t)
{
	struct one *ones = mem_array(REQUEST_POLLS_MAX, sizeof *ones), *of[REQUEST_POLLS_MAX];
	struct request_poll *polls = mem_array(REQUEST_POLLS_MAX, sizeof *polls);
	size_t count = take(ones), loaded;
	int rc;

	for (size_t i = 0; i < count; i++)
		prepare(&ones[i], t);
	load_all(ones, count, polls, of, &loaded);
	rc = loaded ? answer_plain(web_thread_db(t, WEB_AGENTS), of, polls, loaded) : 0;
	if (rc < 0)
		take_back(of, loaded, rc);
	for (size_t i = 0; i < loaded; i++)
		request_poll_release(&polls[i]);
	for (size_t i = 0; i < count; i++) {
		if (!ones[i].answered)
			message_answer(&ones[i].call, PROTO_KEY_POLL, &ones[i].held->text);
		ones[i].held->end = HOLD_ANSWERED;
		hold_hooks.wake(ones[i].held->owner);
	}
	free(polls);
	free(ones);
}

void agentapi_together(struct web_thread *t)
{
	if (first)
		answer_some(t);
}

void together_stop(struct web_thread *t)
{
	stopped = 1;
	while (first)
		answer_some(t);
}
