/* health.c - whether this server can do its work. */
#include "web/health.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "health/cause.h"
#include "sso/client.h"

#define SSO_TIMEOUT_MS 1000

#define PART_SIZE 64

static int is_ready(struct web_thread *t, enum web_site site, char part[static PART_SIZE])
{
	struct keys_status status;
	int rc = db_ping(web_thread_db(t, site));

	snprintf(part, PART_SIZE, rc < 0 ? "database" : "key service");
	if (rc == 0)
		rc = keys_status(web_thread_keys(t), &status);
	if (rc == 0 && status.sealed) {
		snprintf(part, PART_SIZE, "key service (sealed: %s)", health_cause(status.cause)->briefly);
		rc = err_set(ERR_SEALED, "the key service is sealed: %s", status.why);
	}
	return rc;
}

/* A key service that hangs is asked more rarely: each time the thread waits for it. */
#define WELL_FOR (2 * CLOCK_SECOND)
#define AWAY_FOR (15 * CLOCK_SECOND)

const char *health_keys_trouble(struct web_thread *t)
{
	clock_us age = clock_ticks() - t->keys_seen;
	struct keys_status status;
	int rc;

	if (t->keys_seen && age < (t->keys_trouble ? AWAY_FOR : WELL_FOR))
		return t->keys_trouble;
	rc = keys_status(web_thread_keys(t), &status);
	t->keys_trouble = rc < 0 ? "The key service does not answer. Agents get no keys until it does; open volumes stay open." :
		status.sealed ? "The key service is sealed. Agents get no keys until the installation's administrator has unsealed it; open "
		"volumes stay open." : NULL;
	t->keys_advice = rc == 0 && status.sealed ? health_cause(status.cause)->advice : NULL;
	t->keys_seen = clock_ticks();
	return t->keys_trouble;
}

const char *health_keys_advice(struct web_thread *t)
{
	return health_keys_trouble(t) ? t->keys_advice : NULL;
}

/* One that is away keeps out the people of directories and identity providers; agents and local accounts do without, so the server
 * stays in service. */
static int sign_on_answers(struct web_thread *t)
{
	const char *socket = web_inside(t->web, conf_get(&t->web->conf, CONF_SSO_SOCKET));
	struct sso_status status;

	if (*socket == '\0' || sso_status(socket, SSO_TIMEOUT_MS, &status) == 0)
		return 1;
	log_warning("without the sign-on service", "why", err_text(), NULL);
	return 0;
}

static void say(struct web_response *out, int status, const char *text)
{
	out->status = status;
	buf_puts(&out->body, text);
	web_response_header(out, "content-type", "text/plain; charset=utf-8");
}

int health_answer(struct web_thread *t, const struct web_request *request, struct web_response *out)
{
	int ready = strcmp(request->path, "/readyz") == 0;
	char part[PART_SIZE];
	int rc;

	if (!ready && strcmp(request->path, "/healthz") != 0)
		return 0;
	if (request->method != WEB_GET && request->method != WEB_HEAD) {
		web_response_header(out, "allow", "GET, HEAD");
		say(out, 405, "GET or HEAD\n");
		return 1;
	}
	rc = ready ? is_ready(t, request->site, part) : 0;
	if (rc == 0) {
		say(out, 200, "ok\n");
		if (ready && !sign_on_answers(t))
			buf_puts(&out->body, "without: sign-on service\n");
		return 1;
	}
	/* Which part it is helps whoever watches; why is for the log. */
	log_warning("not ready", "part", part, "error", err_name(rc), "why", err_text(), NULL);
	say(out, 503, "not ready: ");
	buf_printf(&out->body, "%s\n", part);
	return 1;
}
