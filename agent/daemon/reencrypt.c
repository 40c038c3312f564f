/* reencrypt.c - see reencrypt.h. */
#include "agent/daemon/reencrypt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/daemon/rotate.h"
#include "agent/guest/array.h"
#include "agent/guest/taskkey.h"
#include "base/err.h"
#include "base/log.h"

#define TELL_EVERY (5 * CLOCK_SECOND)
#define STOP_MOST (20 * CLOCK_SECOND)    /* for the piece under way; then it is killed, and the next opening mends that piece */
#define STOP_STEP_MS 50

/* Where the part of a volume that ID is lies, and what its mapped device is called. */
struct place {
	const struct device *device;
	char path[PROTO_TEXT_MAX + 1], mapped[DEVICE_NAME_SIZE + 16];
};

static int find_member(const struct guest *g, const char *id, struct place *out)
{
	for (int i = 0; i < g->devices_count; i++) {
		struct array_members m;

		array_find(g, g->devices[i].id, &m);
		for (int j = 0; j < m.count; j++) {
			if (m.at[j] == NULL || strcmp(m.at[j]->id, id) != 0)
				continue;
			out->device = &g->devices[i];
			snprintf(out->path, sizeof out->path, "%s", m.at[j]->path);
			snprintf(out->mapped, sizeof out->mapped, "%s.%d", g->devices[i].name, j);
			return 1;
		}
	}
	return 0;
}

static int find(const struct guest *g, const char *id, struct place *out)
{
	for (int i = 0; i < g->devices_count; i++) {
		const struct device *d = &g->devices[i];

		if (strcmp(d->given[0] ? d->given : d->id, id) != 0 || d->path[0] == '\0')
			continue;
		out->device = d;
		snprintf(out->path, sizeof out->path, "%s", d->path);
		snprintf(out->mapped, sizeof out->mapped, "%s", d->name);
		return 0;
	}
	return find_member(g, id, out) ? 0 : err_set(ERR_NOT_FOUND, "this machine has no such device now");
}

static int may_begin(const struct guest *g, const struct place *p)
{
	struct volume_state v;
	int rc = volume_status(&g->env, p->device->name, &v);

	if (rc < 0 || p->device->state != DEVICE_OPEN)
		return err_set(ERR_NOT_FOUND, "the volume is not open");
	if (strcmp(v.engine, volume_dmcrypt.name) != 0)
		return err_set(ERR_UNSUPPORTED, "this machine's kernel has no dm-crypt. The user-space engine cannot encrypt an open volume anew:"
			" rotate the device key instead, or close the volume and use cryptsetup reencrypt on a machine that has dm-crypt");
	return v.read_only ? err_set(ERR_UNSUPPORTED, "the volume is open for reading only") : 0;
}

static int run(struct reencrypt *r, struct place *p, int input, int output)
{
	char *argv[] = { (char[]){ "keyward-reencrypt" }, p->path, p->mapped, NULL }, *none[] = { NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, input, 0);
	posix_spawn_file_actions_adddup2(&actions, output, 1);
	/* A group of its own: what is sent to ours is not for it. */
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
	error = posix_spawn(&r->pid, REENCRYPT_PROGRAM, &actions, &attributes, argv, none);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (error)
		r->pid = 0;
	return error ? err_set(ERR_IO, "%s: %s", REENCRYPT_PROGRAM, strerror(error)) : 0;
}

static int start(struct reencrypt *r, struct place *p, const struct secret *key)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, rc;

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		rc = err_set(ERR_IO, "pipe: %s", strerror(errno));
	else
		rc = run(r, p, in[0], out[1]);
	/* A pipe takes a key whole, whether it is read or not. */
	if (rc == 0 && write(in[1], key->data, key->len) != (ssize_t)key->len)
		rc = err_set(ERR_IO, "the key cannot be given: %s", strerror(errno));
	if (rc == 0) {
		fcntl(out[0], F_SETFL, O_NONBLOCK);
		r->fd = out[0];
		out[0] = -1;
	}
	for (int i = 0; i < 2; i++) {
		if (in[i] >= 0)
			close(in[i]);
		if (out[i] >= 0)
			close(out[i]);
	}
	return rc;
}

int reencrypt_begin(struct guest *g, struct reencrypt *r, const struct uuid *order, const char *id)
{
	struct place p = { .device = NULL };
	struct task_key key = { .key = NULL };
	int busy = r->pid || !uuid_is_nil(&r->order), rc = busy ? err_set(ERR_BUSY, "another volume of this machine is being encrypted anew") : find(g, id, &p);

	if (rc == 0)
		rc = may_begin(g, &p);
	if (rc < 0)
		return rc;
	*r = (struct reencrypt){ .fd = -1, .order = *order, .told = -1 };
	snprintf(r->id, sizeof r->id, "%s", id);
	snprintf(r->volume, sizeof r->volume, "%s", p.device->name);
	rc = taskkey_fetch_for(g, PROTO_REENCRYPT_START, id, &key);
	r->key_version = key.version;
	if (rc == 0)
		rc = start(r, &p, key.key);
	secret_free(key.key);
	if (rc < 0)
		*r = (struct reencrypt){ .fd = -1 };
	else
		log_info("encrypting a volume anew", "device", id, "path", p.path, NULL);
	return rc;
}

static void take_line(struct reencrypt *r)
{
	r->line[r->line_len] = '\0';
	if (strncmp(r->line, "failed ", 7) == 0)
		snprintf(r->failed, sizeof r->failed, "%.*s", PROTO_TEXT_MAX, r->line + 7);
	else if (strncmp(r->line, "done", 4) == 0)
		r->done = 1;
	else
		r->percent = atoi(r->line);
	r->line_len = 0;
}

/* 1 at the end of what it says. */
static int take_in(struct reencrypt *r)
{
	char more[256];
	ssize_t n;

	while ((n = read(r->fd, more, sizeof more)) > 0)
		for (ssize_t i = 0; i < n; i++)
			if (more[i] == '\n')
				take_line(r);
			else if (r->line_len < sizeof r->line - 1)
				r->line[r->line_len++] = more[i];
	return n == 0 || (errno != EAGAIN && errno != EINTR);
}

int reencrypt_look(struct reencrypt *r)
{
	int status;

	if (r->pid == 0 || !take_in(r))
		return 0;
	while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!r->done && r->failed[0] == '\0')
		snprintf(r->failed, sizeof r->failed, "keyward-reencrypt ended without a word");
	close(r->fd);
	r->fd = -1;
	r->pid = 0;
	return 1;
}

clock_us reencrypt_due(const struct reencrypt *r)
{
	return r->pid && r->percent != r->told ? r->tell_at : DEVICE_NEVER;
}

void reencrypt_tell(struct guest *g, struct reencrypt *r)
{
	struct proto_provision_progress *m;
	int cancel = 0;

	if (reencrypt_due(r) > clock_ticks())
		return;
	r->told = r->percent;
	r->tell_at = clock_ticks() + TELL_EVERY;
	m = proto_request_new(PROTO_REENCRYPT_PROGRESS);
	snprintf(m->device, sizeof m->device, "%s", r->id);
	m->percent = r->percent;
	if (guest_tell(g, PROTO_REENCRYPT_PROGRESS, m, &cancel) == 0 && cancel)
		kill(r->pid, SIGTERM);
	proto_request_free(PROTO_REENCRYPT_PROGRESS, m);
}

int reencrypt_tell_done(struct guest *g, const struct reencrypt *r)
{
	return rotate_tell(g, PROTO_REENCRYPT_DONE, r->id, r->key_version);
}

void reencrypt_stop(struct reencrypt *r, const char *volume)
{
	clock_us until = clock_ticks() + STOP_MOST;
	struct pollfd none = { .fd = -1 };

	if (r->pid == 0 || (volume && strcmp(volume, r->volume) != 0))
		return;
	log_info("encrypting anew is interrupted; it goes on when the volume is open again", "device", r->id, NULL);
	kill(r->pid, SIGTERM);
	while (waitpid(r->pid, NULL, WNOHANG) == 0) {
		if (clock_ticks() > until)
			kill(r->pid, SIGKILL);
		poll(&none, 1, STOP_STEP_MS);
	}
	close(r->fd);
	*r = (struct reencrypt){ .fd = -1 };
}
