/* keyserver.c - keyd's side of the child that speaks to key servers.
 *
 *     request   u32 number, u8 op, u8 local, bytes settings (kmip_settings_put), string argument
 *     reply     u32 number, u8 status (an ERR_ code without its sign), then bytes result or string reason */
#include "keys/keyserver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/ipc.h"
#include "base/log.h"
#include "keys/client.h"
#include "keys/message.h"

static struct keyserver_known *find(struct keyserver *s, const struct uuid *owner)
{
	for (size_t i = 0; i < s->count; i++)
		if (uuid_equal(&s->known[i].owner, owner))
			return &s->known[i];
	return NULL;
}

/* A place for one more: the one that was not used for the longest time, when all are taken. */
static struct keyserver_known *place(struct keyserver *s)
{
	struct keyserver_known *oldest = &s->known[0];

	if (s->count < KEYSERVER_KNOWN_MAX)
		return &s->known[s->count++];
	for (size_t i = 1; i < s->count; i++)
		if (s->known[i].used < oldest->used)
			oldest = &s->known[i];
	secret_free(oldest->settings);
	oldest->waiting = 0;
	return oldest;
}

void keyserver_tell(struct keyserver *s, const struct uuid *owner, struct secret *settings, int local)
{
	struct keyserver_known *k = find(s, owner);

	if (k && k->local == local && secret_equal(k->settings, settings)) {
		secret_free(settings);
		return;
	}
	if (k)
		secret_free(k->settings);
	else
		k = place(s);
	*k = (struct keyserver_known){ .owner = *owner, .settings = settings, .local = local, .waiting = k->waiting, .used = clock_ticks() };
}

static int check(const struct keyserver_known *k, enum keyserver_op op, clock_us now)
{
	if (k == NULL)
		return err_set(ERR_NOT_FOUND, "the key service has not been told of this key server");
	/* Whoever tests it wants to know how it is now. */
	if (now < k->away_until && op != KEYSERVER_TEST)
		return err_set(ERR_UNAVAILABLE, "the key server is away (%s); it is asked again in some seconds", k->reason);
	/* Nobody else's requests wait for one server that is slow. */
	if (k->waiting >= KEYSERVER_WAITING_MAX || (k->failures && k->waiting))
		return err_set(ERR_UNAVAILABLE, "other requests wait for this key server");
	return 0;
}

static int no_child(void)
{
	return err_set(ERR_UNAVAILABLE, "the process that speaks to key servers does not run");
}

static int put(struct keyserver *s, enum keyserver_op op, const struct secret *settings, int local, const char *argument, uint32_t *number)
{
	int rc;

	if (++s->number == 0)
		s->number = 1;
	message_begin(&s->out);
	wire_put_u32(&s->out, s->number);
	wire_put_u8(&s->out, (uint8_t)op);
	wire_put_u8(&s->out, (uint8_t)local);
	wire_put_bytes(&s->out, settings->data, settings->len);
	wire_put_string(&s->out, argument);
	rc = ipc_send(s->fd, &s->out);
	message_wipe(&s->out);
	if (rc < 0)
		return no_child();
	*number = s->number;
	return 0;
}

int keyserver_check(struct keyserver *s, const struct secret *settings, uint32_t *number)
{
	return s->running ? put(s, KEYSERVER_CHECK, settings, 0, "", number) : no_child();
}

int keyserver_ask(struct keyserver *s, const struct uuid *owner, enum keyserver_op op, const char *argument, clock_us now, uint32_t *number)
{
	struct keyserver_known *k = find(s, owner);
	int rc = s->running ? check(k, op, now) : no_child();

	if (rc == 0)
		rc = put(s, op, k->settings, k->local, argument, number);
	if (rc == 0) {
		k->waiting++;
		k->used = now;
	}
	return rc;
}

int keyserver_receive(struct keyserver *s, struct keyserver_reply *out)
{
	struct wire_reader r;
	uint8_t status;
	char *reason;

	message_begin(&s->in);
	if (ipc_receive(s->fd, &s->in) < 0 || s->in.len == 0) {
		s->running = 0;
		return err_set(ERR_UNAVAILABLE, "the process that speaks to key servers has ended");
	}
	memset(out, 0, sizeof *out);
	r = wire_read(s->in.data, s->in.len);
	out->number = wire_get_u32(&r);
	status = wire_get_u8(&r);
	out->status = -(int)status;
	if (status == 0) {
		out->result = wire_get_bytes(&r, KEYS_PLAIN_MAX);
	} else {
		reason = wire_get_string(&r, KEYSERVER_REASON_MAX - 1);
		snprintf(out->reason, sizeof out->reason, "%s", reason ? reason : "no reason given");
		free(reason);
	}
	if (r.error)
		out->status = ERR_INTERNAL;
	return 0;
}

/* A server that has answered is there, whatever it said. */
static int is_outage(int status)
{
	return status == ERR_UNAVAILABLE || status == ERR_TIMEOUT || status == ERR_CRYPTO || status == ERR_FORBIDDEN;
}

void keyserver_note(struct keyserver *s, const struct uuid *owner, const struct keyserver_reply *reply, clock_us now)
{
	struct keyserver_known *k = find(s, owner);
	clock_us pause = KEYSERVER_PAUSE_FIRST_S * CLOCK_SECOND;

	if (k == NULL)
		return;
	k->waiting -= k->waiting > 0;
	k->failures = is_outage(reply->status) ? k->failures + 1 : 0;
	k->away_until = 0;
	if (k->failures == 0)
		return;
	for (unsigned i = 1; i < k->failures && pause < KEYSERVER_PAUSE_MOST_S * CLOCK_SECOND; i++)
		pause *= 2;
	if (pause > KEYSERVER_PAUSE_MOST_S * CLOCK_SECOND)
		pause = KEYSERVER_PAUSE_MOST_S * CLOCK_SECOND;
	k->away_until = now + pause;
	snprintf(k->reason, sizeof k->reason, "%s", reply->reason);
}

void keyserver_close(struct keyserver *s)
{
	if (s->running)
		close(s->fd);
	s->running = 0;
	for (size_t i = 0; i < s->count; i++)
		secret_free(s->known[i].settings);
	s->count = 0;
	message_wipe(&s->in);
	message_wipe(&s->out);
	buf_free(&s->in);
	buf_free(&s->out);
}
