/* ask.c - one run of keyward-facts after another, until each fact is known or has had its time. */
#include "agent/integrity/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/integrity/wish.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#define START_MS 10000           /* for the program to be read from a disk that is busy at boot */
#define ALL_MS 90000
#define LINE_MAX_BYTES (4u << 20)
#define STUCK_MAX 4
#define REAP_MS 1000

struct ask {
	const char *program;
	const struct facts_wish *wish;
	json_t *known, *skip;
	struct buf line;
	clock_us until, deadline;        /* of all, of the fact that is next; clock_ticks() */
	pid_t pid;
	int out;                         /* what keyward-facts says */
	int brief;                       /* but not on our standard error */
	int ended;                       /* it has said that there is no more */
};

/* Killed, but still inside of a system call that hangs. No more of them than these: they would pile up. */
static pid_t stuck[STUCK_MAX];

static int reap(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) != 0;
}

/* A free place for one that may get stuck, or NULL. */
static pid_t *stuck_place(void)
{
	pid_t *place = NULL;

	for (size_t i = 0; i < STUCK_MAX; i++) {
		if (stuck[i] && reap(stuck[i]))
			stuck[i] = 0;
		if (stuck[i] == 0)
			place = &stuck[i];
	}
	return place;
}

/* A file in memory that holds the wish: whatever its size, nobody waits for a reader. */
static int wish_file(const struct ask *a)
{
	char *text = wish_text(a->wish, a->known, a->skip);
	size_t len = strlen(text);
	int fd = memfd_create("wish", MFD_CLOEXEC);

	if (fd >= 0 && (write(fd, text, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) != 0)) {
		close(fd);
		fd = -1;
	}
	free(text);
	return fd < 0 ? err_set(ERR_IO, "the wish cannot be written: %s", strerror(errno)) : fd;
}

/* In a group of its own, which its own children share: all of it ends together. */
static int spawn(struct ask *a, int in, int out)
{
	char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C";
	char *program = mem_strdup(a->program), *argv[] = { program, NULL }, *env[] = { path, locale, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	if (a->brief)
		posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	rc = posix_spawn(&a->pid, program, &files, &attr, argv, env);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	free(program);
	return rc ? err_set(ERR_IO, "cannot start %s: %s", a->program, strerror(rc)) : 0;
}

static int start(struct ask *a)
{
	int ends[2], in = wish_file(a), rc;

	if (in < 0)
		return in;
	if (pipe2(ends, O_CLOEXEC) < 0) {
		close(in);
		return err_set(ERR_IO, "pipe: %s", strerror(errno));
	}
	rc = spawn(a, in, ends[1]);
	close(in);
	close(ends[1]);
	if (rc < 0)
		close(ends[0]);
	else
		a->out = ends[0];
	return rc;
}

/* PLACE: where it is remembered if it cannot be ended. */
static void finish(struct ask *a, pid_t *place)
{
	static const struct timespec step = { 0, 5000000 };
	clock_us until = clock_ticks() + REAP_MS * (CLOCK_SECOND / 1000);

	close(a->out);
	buf_reset(&a->line);
	if (!a->ended)
		kill(-a->pid, SIGKILL);
	while (!reap(a->pid)) {
		if (clock_ticks() >= until) {
			kill(-a->pid, SIGKILL);
			*place = a->pid;
			return;
		}
		nanosleep(&step, NULL);
	}
}

/* The row that keyward-facts is at: it goes through them in order. NULL: all have been told. */
static const struct fact *awaited(const struct ask *a)
{
	for (size_t i = 0; i < facts_count; i++)
		if (!json_object_get(a->known, facts_table[i].name) && !json_object_get(a->skip, facts_table[i].name))
			return &facts_table[i];
	return NULL;
}

static void set_deadline(struct ask *a, int more_ms)
{
	const struct fact *f = awaited(a);

	a->deadline = clock_ticks() + ((f ? f->limit_ms : START_MS) + more_ms) * (CLOCK_SECOND / 1000);
	if (a->deadline > a->until)
		a->deadline = a->until;
}

static void give_up_on(struct ask *a, const char *why)
{
	const struct fact *f = awaited(a);

	if (f == NULL)
		return;
	log_warning("a fact cannot be told and is left out", "fact", f->name, "reason", why, NULL);
	json_object_set_new(a->skip, f->name, json_true());
}

/* {"fact": NAME, "value": ...} or {"end": true}. */
static int take_line(struct ask *a, const char *text, size_t len)
{
	const struct fact *f = awaited(a);
	const char *name = "";
	json_t *o;
	int rc = json_parse_object(text, len, LINE_MAX_BYTES, &o);

	if (rc < 0)
		return rc;
	if (json_is_true(json_object_get(o, "end"))) {
		a->ended = 1;
	} else if (json_get_string(o, "fact", 64, &name) < 0 || f == NULL || strcmp(name, f->name) != 0) {
		rc = err_set(ERR_INVALID, "\"%.64s\" was not asked for now", name);
	} else if (json_object_get(o, "value")) {
		json_object_set(a->known, name, json_object_get(o, "value"));
	} else {
		json_object_set_new(a->skip, name, json_true());
	}
	json_decref(o);
	set_deadline(a, 0);
	return rc;
}

static int take_lines(struct ask *a)
{
	char *end;
	int rc = 0;

	while (rc == 0 && a->line.len && (end = memchr(a->line.data, '\n', a->line.len)) != NULL) {
		size_t len = (size_t)(end - a->line.data);

		rc = take_line(a, a->line.data, len);
		buf_drop(&a->line, len + 1);
	}
	return rc == 0 && a->line.len > LINE_MAX_BYTES ? err_set(ERR_TOO_LARGE, "more than %u bytes", LINE_MAX_BYTES) : rc;
}

/* 0 at the end, ERR_TIMEOUT, ERR_IO when it has ended without saying so. */
static int listen_to(struct ask *a)
{
	char piece[65536];
	ssize_t n;
	int rc = 0;

	set_deadline(a, START_MS);
	while (rc == 0 && !a->ended) {
		struct pollfd p = { a->out, POLLIN, 0 };
		clock_us left = a->deadline - clock_ticks();

		if (left <= 0)
			return err_set(ERR_TIMEOUT, "it takes too long");
		if (poll(&p, 1, (int)(left / 1000 + 1)) <= 0)
			continue;
		n = read(a->out, piece, sizeof piece);
		if (n == 0)
			return err_set(ERR_IO, "keyward-facts ended too early");
		if (n > 0)
			buf_add(&a->line, piece, (size_t)n);
		rc = take_lines(a);
	}
	return rc;
}

/* 1: once more, without what went wrong; 0: done; or an error. */
static int once(struct ask *a)
{
	pid_t *place = stuck_place();
	int rc;

	if (place == NULL)
		return err_set(ERR_BUSY, "earlier ones hang still (a file system that does not answer?)");
	rc = start(a);
	if (rc < 0)
		return rc;
	rc = listen_to(a);
	if (rc < 0)
		give_up_on(a, err_text());
	finish(a, place);
	return rc < 0 && clock_ticks() < a->until && awaited(a) != NULL;
}

json_t *facts_ask(const char *program, const struct facts_wish *wish, int brief)
{
	struct ask a = { .program = program ? program : KEYWARD_FACTS_PROGRAM, .wish = wish, .known = json_object(),
		.skip = json_object(), .brief = brief, .until = clock_ticks() + ALL_MS * (CLOCK_SECOND / 1000) };
	char text[CLOCK_TEXT_SIZE];
	int rc = 1;

	while (rc > 0)
		rc = once(&a);
	if (rc < 0)
		log_error("the facts of this machine cannot be gathered", "reason", err_text(), NULL);
	clock_text(clock_now(), text);
	json_set_string(a.known, "gathered_at", text);
	facts_fit(a.known, PROTO_FACTS_MAX);
	json_decref(a.skip);
	buf_free(&a.line);
	return a.known;
}
