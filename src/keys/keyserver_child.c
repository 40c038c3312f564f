/* keyserver_child.c - takes questions off keyd's socket and lets threads answer them. */
#include "keys/keyserver_child.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/ipc.h"
#include "base/log.h"
#include "keys/apart.h"
#include "keys/client.h"
#include "keys/confine.h"
#include "keys/kmip.h"
#include "keys/message.h"

#define THREADS 8
#define STACK_SIZE (256 * 1024)      /* all of it is locked */
#define QUEUE_MAX 64
#define LIMIT_MS 3000                /* for connecting, and for each exchange */
#define ARGUMENT_MAX KMIP_NAME_MAX

/* A child has one keyd. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct buf queue[QUEUE_MAX];
	size_t first, count;
	int fd;
} child = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };

static int do_test(struct kmip *k, struct buf *result)
{
	struct kmip_facts facts;
	int rc = kmip_describe(k, &facts);

	if (rc == 0) {
		wire_put_string(result, facts.vendor);
		wire_put_u32(result, facts.version.major);
		wire_put_u32(result, facts.version.minor);
	}
	return rc;
}

/* Active, so that the server's own rules about keys in use hold for it. */
static int do_create(struct kmip *k, const char *name, struct buf *result)
{
	char id[KMIP_ID_MAX + 1];
	int rc = kmip_create(k, name, KMIP_USE_ENCRYPT | KMIP_USE_DECRYPT, id);

	if (rc == 0)
		rc = kmip_activate(k, id);
	if (rc == 0)
		wire_put_string(result, id);
	return rc;
}

static int do_fetch(struct kmip *k, const char *id, struct buf *result)
{
	struct secret *key = NULL;
	int rc = kmip_get(k, id, &key);

	if (rc == 0)
		buf_add(result, key->data, key->len);
	secret_free(key);
	return rc;
}

/* What is gone already is as wanted. A key that nobody has activated cannot be revoked, and need not be. */
static int do_destroy(struct kmip *k, const char *id)
{
	int rc = kmip_revoke(k, id);

	if (rc < 0 && kmip_is_broken(k))
		return rc;
	rc = kmip_destroy(k, id);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int act(struct kmip *k, uint8_t op, const char *argument, struct buf *result)
{
	switch (op) {
	case KEYSERVER_TEST:
		return do_test(k, result);
	case KEYSERVER_CREATE:
		return do_create(k, argument, result);
	case KEYSERVER_FETCH:
		return do_fetch(k, argument, result);
	case KEYSERVER_DESTROY:
		return do_destroy(k, argument);
	}
	return err_set(ERR_UNSUPPORTED, "no such question");
}

static int answer(struct wire_reader *r, struct buf *result)
{
	struct kmip_settings settings = { NULL };
	struct kmip *k = NULL;
	uint8_t op = wire_get_u8(r);
	int local = wire_get_u8(r), rc;
	struct wire_view given = wire_get_bytes(r, KMIP_SETTINGS_MAX);
	char *argument = wire_get_string(r, ARGUMENT_MAX);

	rc = wire_end(r);
	if (rc == 0)
		rc = kmip_settings_get(given, &settings);
	settings.local = local;
	if (rc == 0 && op == KEYSERVER_CHECK)
		rc = kmip_settings_check(&settings);
	else if (rc == 0)
		rc = kmip_open(&settings, LIMIT_MS, &k);
	if (rc == 0 && k)
		rc = act(k, op, argument, result);
	kmip_close(k);
	kmip_settings_free(&settings);
	free(argument);
	return rc;
}

/* OUT and RESULT are this thread's own. */
static void serve(struct buf *in, struct buf *out, struct buf *result)
{
	struct wire_reader r = wire_read(in->data, in->len);
	uint32_t number = wire_get_u32(&r);
	int rc;

	message_begin(result);
	rc = answer(&r, result);
	message_begin(out);
	wire_put_u32(out, number);
	wire_put_u8(out, (uint8_t)-rc);
	if (rc == 0) {
		wire_put_bytes(out, result->data, result->len);
	} else {
		char reason[KEYSERVER_REASON_MAX];

		strncpy(reason, err_text(), sizeof reason - 1);
		reason[sizeof reason - 1] = '\0';
		wire_put_string(out, reason);
	}
	pthread_mutex_lock(&child.lock);
	if (ipc_send(child.fd, out) < 0)
		_exit(0);
	pthread_mutex_unlock(&child.lock);
	message_wipe(out);
	message_wipe(result);
}

static void *work(void *ctx)
{
	struct buf in, out = BUF_INIT, result = BUF_INIT;

	for (;;) {
		pthread_mutex_lock(&child.lock);
		while (child.count == 0)
			pthread_cond_wait(&child.more, &child.lock);
		in = child.queue[child.first];
		child.queue[child.first] = (struct buf)BUF_INIT;
		child.first = (child.first + 1) % QUEUE_MAX;
		child.count--;
		pthread_mutex_unlock(&child.lock);
		serve(&in, &out, &result);
		message_wipe(&in);
		buf_free(&in);
	}
	return NULL;
}

static void start_threads(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread, &attr, work, NULL) != 0)
			fatal("no thread for key servers");
	pthread_attr_destroy(&attr);
}

/* keyd lets no more wait than there is room for; what is over that is dropped, and keyd's time limit tells. */
static void enqueue(struct buf *in)
{
	pthread_mutex_lock(&child.lock);
	if (child.count < QUEUE_MAX) {
		child.queue[(child.first + child.count++) % QUEUE_MAX] = *in;
		*in = (struct buf)BUF_INIT;
		pthread_cond_signal(&child.more);
	}
	pthread_mutex_unlock(&child.lock);
}

static _Noreturn void serve_all(int fd)
{
	struct buf in = BUF_INIT;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	child.fd = fd;
	start_threads();
	for (;;) {
		message_begin(&in);
		if (ipc_receive(fd, &in) < 0 || in.len == 0)
			_exit(0);
		enqueue(&in);
	}
}

/* What a server's answer could end is started again: keyd, once locked in, cannot do that. */
static void keep_serving(int fd, void *ctx, const char *user)
{
	int status;

	confine_user(user);
	for (;;) {
		pid_t pid = fork();

		if (pid == 0)
			serve_all(fd);
		if (pid < 0 || waitpid(pid, &status, 0) != pid || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
			return;
		log_error("the process that speaks to key servers has ended, and is started again", NULL);
	}
}

int keyserver_start(struct keyserver *s, const char *user)
{
	int rc = apart_start("keyd-servers", keep_serving, NULL, user, &s->fd);

	s->running = rc == 0;
	return rc;
}
