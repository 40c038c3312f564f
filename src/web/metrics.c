/* metrics.c - counts of the installation in Prometheus' text format. Numbers alone: no names of tenants, users or machines. What cannot be
 * asked now is left out, and its "up" says so. */
#include "web/metrics.h"

#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "health/judge.h"
#include "health/look.h"
#include "identity/token.h"

#define SCHEME "Bearer "

static void head(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(struct buf *b, const char *name, const char *type, const char *help, uint64_t value)
{
	head(b, name, type, help);
	buf_printf(b, "%s %" PRIu64 "\n", name, value);
}

#define COUNTER "counter"
#define GAUGE "gauge"

static const char *const job_states[] = { "waiting", "later", "running", "failed" };

/* By kind: "device_seal" are keys that went to agents. */
static void messages(struct buf *b, const struct keys_status *s)
{
	static const char name[] = "keyward_keyd_messages_total";

	head(b, name, COUNTER, "Messages to the key service by kind: done, failed, or limited (refused because a user asked too often).");
	for (int i = 0; i < s->kinds; i++) {
		const struct keys_count *k = &s->counts[i];

		buf_printf(b, "%s{message=\"%s\",outcome=\"done\"} %" PRIu64 "\n", name, k->name, k->done);
		buf_printf(b, "%s{message=\"%s\",outcome=\"failed\"} %" PRIu64 "\n", name, k->name, k->failed);
		buf_printf(b, "%s{message=\"%s\",outcome=\"limited\"} %" PRIu64 "\n", name, k->name, k->limited);
	}
}

static void key_service(struct buf *b, const struct keys_status *s)
{
	const struct {
		const char *name, *type, *help;
		uint64_t value;
	} rows[] = {
		{ "keyward_keyd_sealed", GAUGE, "1: it has no root key, and no key goes out.", (uint64_t)s->sealed },
		{ "keyward_keyd_wraps_total", COUNTER, "Keys and secrets wrapped.", s->wraps },
		{ "keyward_keyd_unwraps_total", COUNTER, "Keys and secrets unwrapped.", s->unwraps },
		{ "keyward_keyd_seals_total", COUNTER, "Device keys sealed to agents.", s->seals },
		{ "keyward_keyd_signatures_total", COUNTER, "Sessions of agents signed.", s->signatures },
		{ "keyward_keyd_failures_total", COUNTER, "Messages that were answered with an error.", s->failures },
		{ "keyward_keyd_tenant_key_hits_total", COUNTER, "Tenant keys that were in memory when one was needed.", s->tenant_hits },
		{ "keyward_keyd_tenant_keys", GAUGE, "Tenant keys in memory.", s->tenants },
		{ "keyward_keyd_clients", GAUGE, "Connections to it.", s->clients },
		{ "keyward_keyd_proof_generation", GAUGE, "Latest generation of proofs of approval that it has seen; 0: none since its start.",
			s->ticket_generation },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		one(b, rows[i].name, rows[i].type, rows[i].help, rows[i].value);
	messages(b, s);
}

/* The operator's checks, the worst of each area, and the numbers that they come from. */
static void health(struct web_thread *t, struct buf *b)
{
	static const char *const area_names[] = {
#define X(id, name, label) name,
		HEALTH_AREAS(X)
#undef X
	};
	struct db *db = web_thread_db(t, WEB_CENTRAL);
	json_t *facts = NULL, *rows;
	int rc = db_begin(db, NULL, &(struct db_actor){ .kind = DB_ACTOR_SYSTEM, .name = "metrics" });

	if (db_end(db, rc < 0 ? rc : health_look(db, &facts)) < 0)
		return;
	rows = health_judge(facts);
	head(b, "keyward_health", GAUGE, "How each part does at its worst: 0 well, 1 worth a look, 2 bad; the page Health says what to do.");
	for (size_t i = 0; i < ARRAY_LEN(area_names); i++)
		buf_printf(b, "keyward_health{area=\"%s\"} %d\n", area_names[i], (int)health_worst(rows, area_names[i]));
	head(b, "keyward_jobs", GAUGE, "Jobs in the queue: waiting, for later, running, given up.");
	for (size_t i = 0; i < ARRAY_LEN(job_states); i++)
		buf_printf(b, "keyward_jobs{state=\"%s\"} %" PRId64 "\n", job_states[i], (int64_t)json_integer_value(json_object_get(json_object_get(facts, "queue"),
			job_states[i])));
	json_decref(rows);
	json_decref(facts);
}

static void write_all(struct web_thread *t, struct buf *b)
{
	struct keys_status status;
	int up = keys_status(web_thread_keys(t), &status) == 0;

	one(b, "keyward_database_up", GAUGE, "1: the database answers.", db_ping(web_thread_db(t, WEB_CENTRAL)) == 0);
	one(b, "keyward_keyd_up", GAUGE, "1: the key service answers.", (uint64_t)up);
	if (up)
		key_service(b, &status);
	health(t, b);
}

static void say(struct web_response *out, int status, const char *text)
{
	out->status = status;
	buf_puts(&out->body, text);
	web_response_header(out, "content-type", "text/plain; version=0.0.4; charset=utf-8");
}

static int is_known(const char *token, const char *authorization)
{
	return authorization && strncmp(authorization, SCHEME, sizeof SCHEME - 1) == 0 && token_equal(token, authorization + sizeof SCHEME - 1);
}

int metrics_answer(struct web_thread *t, const struct web_request *request, struct web_response *out)
{
	const char *token = conf_get(&t->web->conf, CONF_METRICS_TOKEN);

	/* Without a token there is no such address. */
	if (request->site != WEB_CENTRAL || *token == '\0' || strcmp(request->path, "/metrics") != 0)
		return 0;
	if (request->method != WEB_GET && request->method != WEB_HEAD) {
		web_response_header(out, "allow", "GET, HEAD");
		say(out, 405, "GET or HEAD\n");
	} else if (!is_known(token, request->authorization)) {
		web_response_header(out, "www-authenticate", "Bearer");
		say(out, 401, "the token of metrics.token is needed\n");
	} else {
		say(out, 200, "");
		write_all(t, &out->body);
	}
	return 1;
}
