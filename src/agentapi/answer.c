/* answer.c - one HTTP request of the agents' site: checks it, hands the frame to its kind's row, answers with a frame. */
#include <stdlib.h>
#include <string.h>

#include "agentapi/service.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

#define RETRY_AFTER_S 5

static struct sessions *sessions;

static const struct {
	int (*answer)(struct frame_call *c, struct buf *answer);
	size_t most;
} kinds[] = {
	[PROTO_ENROL_START] = { frame_enrol_start, PROTO_HANDSHAKE_MAX },
	[PROTO_ENROL_FINISH] = { frame_enrol_finish, PROTO_HANDSHAKE_MAX },
	[PROTO_HELLO] = { frame_hello, PROTO_HANDSHAKE_MAX },
	[PROTO_FINISH] = { frame_finish, PROTO_HANDSHAKE_MAX },
	[PROTO_RECORD] = { frame_record, PROTO_FRAME_MAX },
};

size_t agentapi_shared_size(void)
{
	return sessions_size(AGENTAPI_SESSIONS);
}

void agentapi_init(void *shared)
{
	sessions = sessions_init(shared, AGENTAPI_SESSIONS);
}

static int check_http(const struct web_request *r, struct web_response *out)
{
	out->status = strcmp(r->path, PROTO_PATH) != 0 ? 404 : r->method != WEB_POST ? 405 : r->content_type == NULL ||
		strcmp(r->content_type, PROTO_CONTENT_TYPE) != 0 ? 415 : 200;
	if (out->status == 405)
		web_response_header(out, "allow", "POST");
	return out->status == 200 ? 0 : -1;
}

static int answer_frame(struct frame_call *c, struct buf *answer)
{
	struct proto_frame frame;
	int rc = proto_frame_peek(c->data, c->len, &frame);

	if (rc < 0)
		return rc;
	if (frame.kind >= ARRAY_LEN(kinds) || kinds[frame.kind].answer == NULL)
		return err_set(ERR_INVALID, "not a frame that agents send");
	if (c->len > kinds[frame.kind].most)
		return err_set(ERR_TOO_LARGE, "frame of %zu bytes", c->len);
	return kinds[frame.kind].answer(c, answer);
}

/* What went wrong between us and nobody in particular is news only where it is our fault. */
static void log_failure(const struct frame_call *c, int rc)
{
	int ours = rc == ERR_DB || rc == ERR_INTERNAL || rc == ERR_UNAVAILABLE || rc == ERR_CRYPTO || rc == ERR_IO;

	(ours ? log_error : log_info)("frame refused", "code", err_name(rc), "why", err_text(), "address", c->request->address,
		"request", c->request_text, NULL);
}

static void frame_open(struct frame_call *c, struct web_thread *t, const struct web_request *request)
{
	*c = (struct frame_call){ .thread = t, .sessions = sessions, .request = request, .data = request->body.data,
		.len = request->body.len, .now = request->received };
	uuid_text(&request->id, c->request_text);
	c->db = web_thread_db(t, WEB_AGENTS);
	c->keys = web_thread_keys(t);
}

/* RC is what became of the frame: what is in OUT, or an error frame. */
static void frame_close(struct frame_call *c, int rc, struct web_response *out)
{
	/* A handler that left its transaction open has failed in between. */
	db_rollback(c->db);
	if (rc < 0) {
		log_failure(c, rc);
		proto_error_frame(rc, rc == ERR_UNAVAILABLE || rc == ERR_TIMEOUT || rc == ERR_BUSY || rc == ERR_SEALED ? RETRY_AFTER_S : 0,
			&out->body);
	}
	out->last = c->last;
	web_response_header(out, "content-type", PROTO_CONTENT_TYPE);
	web_response_header(out, "cache-control", "no-store");
}

struct agentapi_held *agentapi_answer(struct web_thread *t, const struct web_request *request, void *owner, struct web_response *out)
{
	struct frame_call c;

	web_security_headers(out);
	if (check_http(request, out) < 0)
		return NULL;
	frame_open(&c, t, request);
	c.owner = owner;
	frame_close(&c, answer_frame(&c, &out->body), out);
	if (c.held) {
		c.held->request = request->id;
		memcpy(c.held->address, request->address, sizeof c.held->address);
	}
	return c.held;
}

void frame_of_held(struct frame_call *c, struct web_thread *t, const struct agentapi_held *h, struct web_request *request)
{
	*request = (struct web_request){ .site = WEB_AGENTS, .id = h->request, .received = clock_now(), .body = BUF_INIT };
	memcpy(request->address, h->address, sizeof request->address);
	frame_open(c, t, request);
}

void agentapi_finish(struct web_thread *t, struct agentapi_held *h, struct web_response *out)
{
	struct web_request request;
	struct frame_call c;

	web_security_headers(out);
	out->status = 200;
	frame_of_held(&c, t, h, &request);
	frame_close(&c, frame_held(&c, h, &out->body), out);
	agentapi_drop(h);
}

int frame_begin(struct frame_call *c, const struct uuid *account, const struct uuid *agent)
{
	struct db_actor actor = { .kind = agent ? DB_ACTOR_AGENT : DB_ACTOR_ANONYMOUS, .address = c->request->address,
		.request = c->request_text };

	if (agent)
		actor.id = *agent;
	return db_begin(c->db, account, &actor);
}
