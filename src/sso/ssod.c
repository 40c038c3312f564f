/* ssod.c - main of keyward-ssod, the sign-on service: takes questions of web workers, and has each answered by a process of its own,
 * which speaks to the directory or reads the document, and ends with it.
 *
 * What strangers send (ASN.1, XML) is only ever read in such a process, confined like this one, with its tenant's question alone in it. It
 * has a time after which it is killed. A tenant has a few at a time, the others of its questions wait; one whose server has just let one
 * run out of time has one. So a directory that is slow or away costs its own users time, and nobody else any. No database, no keys. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/daemon.h"
#include "base/err.h"
#include "base/ipc.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "sso/confine.h"
#include "sso/message.h"
#include "sso/service.h"
#include "sso/share.h"

#define PEERS_MAX 512
#define ANSWER_HEAD (2 + 16)         /* version, status, request */
#define SLOW_FOR (30 * CLOCK_SECOND) /* after one ran out of time: so long, one at a time */
#define IDLE_MS 30000                /* a connection that asks nothing for so long ends: it has the place of somebody who asks */
#define SLOW_MOST 256                /* tenants remembered for that */

enum state { PEER_IDLE, PEER_WAITING, PEER_RUNNING };

struct peer {
	int fd, allowed;
	uid_t uid;
	enum state state;
	struct buf in;               /* the question, while it waits */
	const struct sso_kind *kind;
	struct uuid request, tenant;
	clock_us until;              /* of its state; clock_ticks() */
	pid_t child;
	int result;                  /* where the child's answer comes */
};

static struct {
	struct daemon_users users;
	int signals, listener, stop;
	struct peer *peers[PEERS_MAX];
	size_t peer_count, running, waiting;
	struct { struct uuid tenant; clock_us at; } slow[SLOW_MOST];
	uint64_t done, failed, late, refused;
	clock_us started;
	pid_t pid;
	struct buf in, out;
} d;

static const char usage[] =
	"usage: keyward-ssod --socket PATH --user NAME --allow USER[,USER...] [--socket-group GROUP] [--local] [--private]\n"
	"         [--most SECONDS]\n"
	"  --local   servers that settings name may be this machine itself (setting outside.local)\n"
	"  --private metadata of identity providers may be fetched from private networks\n"
	"  --most    no question waits or takes longer than this, whatever its kind may: 2 to 60\n";

/* Starting */

struct options {
	const char *socket, *user, *allow, *group;
};

static void parse_options(int argc, char **argv, struct options *o)
{
	static const struct option known[] = { { "socket", required_argument, NULL, 's' }, { "user", required_argument, NULL, 'u' },
		{ "allow", required_argument, NULL, 'a' }, { "socket-group", required_argument, NULL, 'g' }, { "local", no_argument, NULL, 'l' },
		{ "private", no_argument, NULL, 'p' }, { "most", required_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 's': o->socket = optarg; break;
		case 'u': o->user = optarg; break;
		case 'a': o->allow = optarg; break;
		case 'g': o->group = optarg; break;
		case 'l': sso_options.local = 1; break;
		case 'p': sso_options.private = 1; break;
		case 'm': sso_options.most_ms = atoi(optarg) * 1000; break;
		case 'h': fputs(usage, stdout); exit(0);
		default: fputs(usage, stderr); exit(2);
		}
	}
	if (optind != argc || !o->socket || !o->user || !o->allow || (sso_options.most_ms && (sso_options.most_ms < 2000 || sso_options.most_ms > 60000))) {
		fputs(usage, stderr);
		exit(2);
	}
}

/* Which tenants' servers are slow */

static int is_slow(const struct uuid *tenant, clock_us now)
{
	for (size_t i = 0; i < SLOW_MOST; i++)
		if (d.slow[i].at && uuid_equal(&d.slow[i].tenant, tenant))
			return now - d.slow[i].at < SLOW_FOR;
	return 0;
}

/* AT 0: it has answered in time. The longest known gives way. */
static void note_slow(const struct uuid *tenant, clock_us at)
{
	size_t place = 0;

	for (size_t i = 0; i < SLOW_MOST; i++) {
		if (d.slow[i].at && uuid_equal(&d.slow[i].tenant, tenant)) {
			d.slow[i].at = at;
			return;
		}
		if (d.slow[i].at < d.slow[place].at)
			place = i;
	}
	if (at) {
		d.slow[place].tenant = *tenant;
		d.slow[place].at = at;
	}
}

static size_t count_of(const struct uuid *tenant, enum state state)
{
	size_t n = 0;

	for (size_t i = 0; i < d.peer_count; i++)
		n += d.peers[i]->state == state && uuid_equal(&d.peers[i]->tenant, tenant);
	return n;
}

/* The process of one question */

static void child_main(struct peer *p, int result)
{
	sigset_t none;
	int rc;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	confine_child(service_ms(p->kind->limit_ms));
	close(d.signals);
	close(d.listener);
	for (size_t i = 0; i < d.peer_count; i++) {
		close(d.peers[i]->fd);
		if (d.peers[i]->state == PEER_RUNNING)
			close(d.peers[i]->result);
		/* What others ask is none of its business. */
		if (d.peers[i] != p)
			service_wipe(&d.peers[i]->in);
	}
	rc = service_answer(&p->in, &d.out);
	if (ipc_send_most(result, &d.out, SSO_MESSAGE_MAX) < 0)
		_exit(2);
	_exit(rc < 0);
}

static int start_child(struct peer *p)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(ERR_UNAVAILABLE, "no connection to a new process: %s", strerror(errno));
	p->child = fork();
	if (p->child == 0)
		child_main(p, pair[1]);
	close(pair[1]);
	if (p->child < 0) {
		close(pair[0]);
		return err_set(ERR_UNAVAILABLE, "no new process: %s", strerror(errno));
	}
	p->result = pair[0];
	return 0;
}

/* Peers */

static void leave_state(struct peer *p)
{
	d.waiting -= p->state == PEER_WAITING;
	d.running -= p->state == PEER_RUNNING;
	p->state = PEER_IDLE;
	p->until = clock_ticks() + service_ms(IDLE_MS) * (CLOCK_SECOND / 1000);
}

/* Ends the process, whatever it is at; its status as waitpid tells it. */
static int end_child(struct peer *p)
{
	int status = 0;

	kill(p->child, SIGKILL);
	while (waitpid(p->child, &status, 0) < 0 && errno == EINTR)
		;
	close(p->result);
	p->child = 0;
	return status;
}

static void log_question(const struct peer *p, int rc)
{
	char request[UUID_TEXT_SIZE], tenant[UUID_TEXT_SIZE];

	uuid_text(&p->request, request);
	uuid_text(&p->tenant, tenant);
	(rc == 0 ? log_info : log_warning)(p->kind ? p->kind->name : "unknown message", "request", request, "tenant",
		uuid_is_nil(&p->tenant) ? NULL : tenant, "outcome", rc == 0 ? "done" : err_name(rc), rc < 0 ? "reason" : NULL, err_text(), NULL);
}

/* Sends D.OUT and forgets the question. A peer that does not read loses its connection when it next asks. */
static void finish(struct peer *p, int rc)
{
	d.done += rc == 0;
	d.failed += rc < 0;
	log_question(p, rc);
	ipc_send_most(p->fd, &d.out, SSO_MESSAGE_MAX);
	service_wipe(&d.out);
	service_wipe(&p->in);
	buf_free(&p->in);
	leave_state(p);
}

static void refuse(struct peer *p, int rc)
{
	service_begin(&d.out, rc, &p->request);
	finish(p, rc);
}

static void drop_peer(size_t i)
{
	struct peer *p = d.peers[i];

	if (p->state == PEER_RUNNING)
		end_child(p);
	leave_state(p);
	service_wipe(&p->in);
	buf_free(&p->in);
	close(p->fd);
	free(p);
	d.peers[i] = d.peers[--d.peer_count];
}

static void accept_peer(void)
{
	int fd = accept4(d.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct peer *p;
	pid_t pid;

	if (fd < 0)
		return;
	p = mem_alloc(sizeof *p);
	p->fd = fd;
	if (ipc_peer(fd, &p->uid, &pid) < 0) {
		close(fd);
		free(p);
		return;
	}
	p->allowed = daemon_allows(&d.users, p->uid);
	leave_state(p);
	d.peers[d.peer_count++] = p;
}

static void answer_status(struct peer *p)
{
	service_begin(&d.out, 0, &p->request);
	wire_put_u32(&d.out, (uint32_t)d.running);
	wire_put_u32(&d.out, (uint32_t)d.waiting);
	wire_put_u64(&d.out, d.done);
	wire_put_u64(&d.out, d.failed);
	wire_put_u64(&d.out, d.late);
	wire_put_u64(&d.out, d.refused);
	wire_put_u64(&d.out, (uint64_t)d.started);
	wire_put_u32(&d.out, (uint32_t)d.pid);
	wire_put_string(&d.out, KEYWARD_VERSION);
	ipc_send_most(p->fd, &d.out, SSO_MESSAGE_MAX);
}

static void queue(struct peer *p)
{
	size_t own = count_of(&p->tenant, PEER_WAITING) + count_of(&p->tenant, PEER_RUNNING);

	if (!share_may_wait(d.waiting + d.running, own)) {
		d.refused++;
		refuse(p, err_set(ERR_TOO_MANY, "%zu questions of this account, of %zu of all, are being answered or wait already", own, d.waiting + d.running));
		return;
	}
	buf_add(&p->in, d.in.data, d.in.len);
	p->state = PEER_WAITING;
	p->until = clock_ticks() + service_ms(SSO_WAIT_MS) * (CLOCK_SECOND / 1000);
	d.waiting++;
}

/* 0, or -1 when the connection has to end: also when somebody whose question is being answered speaks, or has gone. */
static int hear(struct peer *p)
{
	int rc;

	if (p->state != PEER_IDLE)
		return -1;
	p->kind = NULL;
	p->request = p->tenant = (struct uuid){ { 0 } };
	service_room(&d.in);
	rc = ipc_receive_most(p->fd, &d.in, SSO_MESSAGE_MAX);
	if (rc == ERR_UNAVAILABLE || (rc == 0 && d.in.len == 0))
		return -1;
	if (!p->allowed)
		rc = err_set(ERR_FORBIDDEN, "user %u is not allowed", p->uid);
	if (rc == 0)
		rc = service_head(&d.in, &p->kind, &p->request, &p->tenant);
	if (rc < 0)
		refuse(p, rc);
	else if (p->kind->answer == NULL)
		answer_status(p);
	else
		queue(p);
	service_wipe(&d.in);
	return p->allowed ? 0 : -1;
}

static void start_waiting(clock_us now)
{
	for (size_t i = 0; i < d.peer_count && d.running < SHARE_RUNNING_MAX; i++) {
		struct peer *p = d.peers[i];

		if (p->state != PEER_WAITING || !share_may_run(d.running, count_of(&p->tenant, PEER_RUNNING), is_slow(&p->tenant, now)))
			continue;
		if (start_child(p) < 0) {
			refuse(p, ERR_UNAVAILABLE);
			continue;
		}
		leave_state(p);
		p->state = PEER_RUNNING;
		d.running++;
		p->until = now + service_ms(p->kind->limit_ms) * (CLOCK_SECOND / 1000);
		service_wipe(&p->in);
	}
}

/* An answer that came, or the end without one. */
static void take_result(struct peer *p)
{
	int status, rc, got = ipc_receive_most(p->result, &d.out, SSO_MESSAGE_MAX);

	status = end_child(p);
	if (got < 0 || d.out.len < ANSWER_HEAD) {
		refuse(p, err_set(ERR_INTERNAL, "the process for it ended with signal %d, status %d, and no answer",
			WIFSIGNALED(status) ? WTERMSIG(status) : 0, WIFEXITED(status) ? WEXITSTATUS(status) : 0));
		return;
	}
	rc = -(int)(unsigned char)d.out.data[1];
	/* It may have given up by itself, just before its time was over. */
	note_slow(&p->tenant, rc == ERR_TIMEOUT ? clock_ticks() : 0);
	if (rc < 0) {
		struct wire_reader r = wire_read(d.out.data + ANSWER_HEAD, d.out.len - ANSWER_HEAD);
		char *reason = wire_get_string(&r, SSO_MESSAGE_MAX);

		err_set(rc, "%s", reason ? reason : "?");
		free(reason);
	}
	finish(p, rc);
}

static void end_late(clock_us now)
{
	/* From the end, as in turn(). */
	for (size_t i = d.peer_count; i-- > 0;) {
		struct peer *p = d.peers[i];

		if (p->until > now)
			continue;
		if (p->state == PEER_IDLE) {
			drop_peer(i);
			continue;
		}
		d.late++;
		if (p->state == PEER_WAITING) {
			refuse(p, err_set(ERR_BUSY, "others of this account were still being answered after %d seconds", service_ms(SSO_WAIT_MS) / 1000));
		} else {
			end_child(p);
			note_slow(&p->tenant, now);
			refuse(p, err_set(ERR_TIMEOUT, "no answer within %d seconds", service_ms(p->kind->limit_ms) / 1000));
		}
	}
}

static int next_wait_ms(clock_us now)
{
	clock_us first = now + 60 * CLOCK_SECOND;

	for (size_t i = 0; i < d.peer_count; i++)
		if (d.peers[i]->until < first)
			first = d.peers[i]->until;
	return first <= now ? 0 : (int)((first - now) / (CLOCK_SECOND / 1000)) + 1;
}

/* fds: signals, listener, then two for each peer: its connection, its result. */
static void turn(void)
{
	static struct pollfd fds[2 + 2 * PEERS_MAX];
	size_t count = d.peer_count;
	int n;

	fds[0] = (struct pollfd){ .fd = d.signals, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = d.peer_count < PEERS_MAX ? d.listener : -1, .events = POLLIN };
	for (size_t i = 0; i < count; i++) {
		fds[2 + 2 * i] = (struct pollfd){ .fd = d.peers[i]->fd, .events = POLLIN };
		fds[3 + 2 * i] = (struct pollfd){ .fd = d.peers[i]->state == PEER_RUNNING ? d.peers[i]->result : -1, .events = POLLIN };
	}
	n = poll(fds, 2 + 2 * count, next_wait_ms(clock_ticks()));
	if (n < 0 && errno != EINTR)
		fatal("poll: %s", strerror(errno));
	/* From the end, because a dropped peer's place is taken by the last. */
	for (size_t i = n > 0 ? count : 0; i-- > 0;) {
		if (fds[3 + 2 * i].revents)
			take_result(d.peers[i]);
		if (fds[2 + 2 * i].revents && hear(d.peers[i]) < 0)
			drop_peer(i);
	}
	if (n > 0 && fds[1].revents)
		accept_peer();
	d.stop = n > 0 && fds[0].revents;
	end_late(clock_ticks());
	start_waiting(clock_ticks());
}

int main(int argc, char **argv)
{
	struct options o = { NULL };

	parse_options(argc, argv, &o);
	log_open("ssod", LOG_LEVEL_INFO);
	secret_init();
	/* Files and variables of whoever started it say nothing about directories. */
	clearenv();
	setenv("LDAPNOINIT", "1", 1);
	daemon_allow(&d.users, o.allow);
	d.signals = daemon_signals();
	d.listener = daemon_listen(o.socket, o.group);
	if (service_rehearse() < 0)
		fatal("rehearsal: %s", err_text());
	d.started = clock_now();
	d.pid = getpid();
	daemon_become(o.user);
	confine_calls();
	log_info("ready", NULL);
	while (!d.stop)
		turn();
	while (d.peer_count)
		drop_peer(d.peer_count - 1);
	log_info("stopped", NULL);
	return 0;
}
