/* agentd.c - keyward-agent: one thread and one loop. What waits, waits in the loop's sleep, and when the server holds
 * the line, the heartbeat is that sleep: an order arrives at once, a signal ends it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/common/host.h"
#include "agent/daemon/daemon.h"
#include "agent/daemon/hotplug.h"
#include "agent/daemon/notify.h"
#include "agent/guest/container_make.h"
#include "agent/guest/credentials.h"
#include "agent/guest/inventory.h"
#include "agent/guest/provision.h"
#include "agent/guest/request.h"
#include "agent/integrity/facts.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

#define SCAN_EVERY (60 * CLOCK_SECOND)
#define SCAN_HELD (5 * CLOCK_SECOND)             /* once after a volume was found in use by somebody else */
#define SCAN_SOON CLOCK_SECOND                   /* after a disk has come: its names and partitions follow it */
#define REFRESH_EVERY (5 * CLOCK_SECOND)
#define BUSY_AGAIN (5 * CLOCK_SECOND)            /* another program provisions */
#define WAITING_AGAIN (60 * CLOCK_SECOND)        /* a task was put off */
#define DISKS_MOST (30 * CLOCK_SECOND)
#define DISKS_STEP_MS 100
#define SLEEP_MOST (5 * CLOCK_SECOND)
#define LOCK_TRIES 20
#define LOCK_STEP_MS 100

static int signal_pipe[2];
static volatile sig_atomic_t got_stop, got_reload, got_renew;

static void on_signal(int number)
{
	int saved = errno;

	if (number == SIGHUP)
		got_reload = 1;
	else if (number == SIGUSR2)
		got_renew = 1;
	else if (number != SIGCHLD)
		got_stop = 1;
	/* A full pipe is as good as one more byte. */
	if (write(signal_pipe[1], "", 1) < 0)
		errno = saved;
	errno = saved;
}

/* Handlers rather than a mask, which children would inherit. */
static void catch_signals(struct daemon *a)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR2, SIGCHLD };
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		fatal("pipe: %s", strerror(errno));
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		sigaction(numbers[i], &act, NULL);
	signal(SIGPIPE, SIG_IGN);
	a->signal_fd = signal_pipe[0];
}

/* Cleared only when it was seen: one that comes meanwhile is not lost with it. */
static int took(volatile sig_atomic_t *got)
{
	if (!*got)
		return 0;
	*got = 0;
	return 1;
}

int daemon_signals(struct daemon *a)
{
	char drain[64];
	int any = 0;

	while (read(a->signal_fd, drain, sizeof drain) > 0)
		any = 1;
	a->stop |= got_stop;
	a->reload |= took(&got_reload);
	a->renew |= took(&got_renew);
	return any;
}

int daemon_log_level(struct daemon *a, const char *name)
{
	enum log_level level;

	if (log_level_parse(name, &level) < 0)
		return err_set(ERR_INVALID, "\"%s\" is no log level", name);
	log_set_level(level);
	snprintf(a->log_level, sizeof a->log_level, "%s", name);
	log_info("log level set", "level", name, NULL);
	return 0;
}

/* Standard error is where the log goes, also for the programs that this one starts. A file that was moved away is left to them. */
static int open_log(const struct daemon *a)
{
	const char *path = agent_conf_text(&a->g.conf, AGENT_LOG_FILE);
	enum log_level level;
	int fd;

	if (*path == '\0')
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
		return err_set(ERR_IO, "the log file %s cannot be used: %s", path, strerror(errno));
	close(fd);
	log_open("agent", LOG_LEVEL_INFO);
	if (log_level_parse(a->log_level, &level) == 0)
		log_set_level(level);
	return 0;
}

static void reload(struct daemon *a)
{
	struct agent_conf fresh;

	a->reload = 0;
	a->refresh_at = 0;
	/* Who sends the signal may also have mended the way to the server, or changed what is to be encrypted. */
	a->g.next_try = 0;
	a->provision_due = 1;
	a->provision_at = 0;
	if (open_log(a) < 0)
		log_error("the log goes on where it was", "reason", err_text(), NULL);
	if (a->g.conf_path == NULL && access(AGENT_CONF_PATH, F_OK) < 0)
		return;
	if (agent_conf_load(a->g.conf_path ? a->g.conf_path : AGENT_CONF_PATH, &fresh) < 0) {
		log_error("the configuration file is not taken", "reason", err_text(), NULL);
		return;
	}
	daemon_log_level(a, agent_conf_text(&fresh, AGENT_LOG_LEVEL));
	agent_conf_free(&fresh);
}

void daemon_close_begin(struct daemon *a, struct device *d, int reason, int force)
{
	d->close_reason = reason;
	d->force |= force;
	reencrypt_stop(&a->reencrypt, d->name);
	sealed_free(d->one_time);
	d->one_time = NULL;
	if (device_move(d, DEVICE_EVENT_CLOSE) < 0)
		log_debug("nothing to close", "device", d->id, "state", device_state_name(d->state), NULL);
	if (d->state == DEVICE_CLOSING) {
		d->wake = clock_ticks();
	} else if (d->state == DEVICE_CLOSED) {
		d->wake = DEVICE_NEVER;
		d->untold_closed = 1;
		device_say(d, "closed");
	}
}

/* Registered, or registered anew by keyward-config beside us. */
static void refresh(struct daemon *a)
{
	int rc;

	if (clock_ticks() < a->refresh_at)
		return;
	a->refresh_at = clock_ticks() + REFRESH_EVERY;
	rc = guest_refresh(&a->g);
	if (rc < 0) {
		log_error("the registration cannot be used", "reason", err_text(), NULL);
	} else if (rc > 0) {
		log_info(a->g.registered ? "registration read" : "no longer registered", "url", a->g.reg.url, NULL);
		a->inventory_due = a->provision_due = a->report_due = a->credentials_due = 1;
		a->published = 0;
		a->scan_at = a->beat_at = 0;
	}
}

/* A server that was away may have come back as it was earlier, restored from a backup: it is told once more what there is. */
static void begin_anew(struct daemon *a)
{
	if (a->outages == a->g.outages || a->g.offline)
		return;
	a->outages = a->g.outages;
	a->inventory_due = 1;
	a->scan_at = 0;
}

static void scan(struct daemon *a)
{
	uint64_t digest;

	begin_anew(a);
	if (hotplug_changed(a->hotplug_fd) && a->scan_at > clock_ticks() + SCAN_SOON)
		a->scan_at = clock_ticks() + SCAN_SOON;
	if (container_look_after(&a->g.conf, a->g.state_dir))
		a->scan_at = 0;
	if (clock_ticks() < a->scan_at)
		return;
	a->scan_at = clock_ticks() + SCAN_EVERY;
	if (inventory_scan(&a->g) < 0) {
		log_error("the devices cannot be listed", "reason", err_text(), NULL);
		return;
	}
	if (a->g.look_soon)
		a->scan_at = clock_ticks() + SCAN_HELD;
	a->g.look_soon = 0;
	digest = inventory_digest(&a->g);
	if (digest != a->published)
		a->inventory_due = 1;
}

/* What needs no server. */
static void look_after(struct daemon *a)
{
	clock_us now = clock_ticks();

	reencrypt_look(&a->reencrypt);
	for (int i = 0; i < a->g.devices_count; i++) {
		struct device *d = &a->g.devices[i];

		if (d->wake > now)
			continue;
		if (d->state == DEVICE_OPEN) {
			request_look(&a->g, d);
		} else if (d->state == DEVICE_CLOSING) {
			request_close(&a->g, d);
			if (d->state == DEVICE_CLOSED)
				order_closed(a, d);
		} else if (d->state == DEVICE_FAILED) {
			device_move(d, DEVICE_EVENT_RETRY);
		}
	}
}

static int while_provisioning(void *ctx, const char *device, const char *stage, int percent)
{
	struct daemon *a = ctx;

	daemon_signals(a);
	if (clock_ticks() >= a->beat_at && guest_may_call(&a->g))
		beat(a, 0);
	return a->stop;
}

static void do_provision(struct daemon *a)
{
	struct provision_run run = { .progress = while_provisioning, .ctx = a };
	int rc;

	if (!a->provision_due || clock_ticks() < a->provision_at)
		return;
	rc = provision(&a->g, &run);
	a->provision_due = rc < 0 || run.waiting > 0 || run.stopped;
	a->provision_at = clock_ticks() + (rc == ERR_BUSY ? BUSY_AGAIN : WAITING_AGAIN);
	if (rc < 0 && !a->g.offline && rc != ERR_BUSY)
		log_warning("provisioning tasks could not be asked for", "reason", err_text(), NULL);
	if (rc < 0 && a->g.offline)
		a->provision_at = 0;
	if (run.done > 0)
		a->scan_at = 0;
}

static void ask_for(struct daemon *a, struct device *d)
{
	if (d->wake > clock_ticks() || device_rests(d))
		return;
	if (d->state == DEVICE_WAITING)
		request_ask(&a->g, d);
	else if (d->state == DEVICE_PENDING)
		request_poll(&a->g, d);
	else if (d->state == DEVICE_DENIED)
		request_again(&a->g, d);
	if (d->state == DEVICE_OPEN)
		a->beat_at = clock_ticks();
}

static void publish(struct daemon *a)
{
	uint64_t digest = inventory_digest(&a->g);

	if (a->inventory_due && inventory_publish(&a->g) == 0) {
		a->inventory_due = 0;
		a->published = digest;
	} else if (a->inventory_due && !a->g.offline) {
		log_error("the server does not take the inventory", "reason", err_text(), NULL);
		a->inventory_due = 0;            /* the next scan finds that it differs */
	}
}

/* Once after the start, when the keys have been asked for: what the machine is like is known before the first check, also of one
 * without a volume. */
static void report_start(struct daemon *a)
{
	static const struct uuid no_order;
	int rc;

	if (!a->report_due || a->published == 0)
		return;
	rc = daemon_report(a, PROTO_REASON_BOOT, &no_order);
	a->report_due = rc < 0 && a->g.offline;
	if (rc < 0 && !a->g.offline)
		log_warning("the server does not take the report", "reason", err_text(), NULL);
}

static int has_reencrypted(const struct daemon *a)
{
	return !uuid_is_nil(&a->reencrypt.order) && a->reencrypt.pid == 0;
}

/* Programs that run for it would be nobody's. */
static int may_renew(const struct daemon *a)
{
	return a->renew && !a->reencrypt.pid && !a->mount_complete.pid;
}

static int asks_at_wake(const struct device *d)
{
	return !device_rests(d) && (d->state == DEVICE_WAITING || d->state == DEVICE_FAILED || (d->state == DEVICE_PENDING && !device_is_told(d)));
}

/* When the server is next wanted for something that a held line would be in the way of. What waits for a decision does not
 * count: the line is answered when there is one. */
static clock_us wanted(const struct daemon *a)
{
	clock_us at = clock_ticks() + PROTO_WAIT_MAX * CLOCK_SECOND;

	if (a->inventory_due || a->orders_count || a->results_count > a->results_sent || has_reencrypted(a) || a->reload || may_renew(a))
		return 0;
	if (reencrypt_due(&a->reencrypt) < at)
		at = reencrypt_due(&a->reencrypt);
	for (int i = 0; i < a->g.devices_count; i++) {
		const struct device *d = &a->g.devices[i];

		if (d->untold_opened || d->untold_closed)
			return 0;
		if (asks_at_wake(d) && d->wake < at)
			at = d->wake;
	}
	return a->provision_due && a->provision_at < at ? a->provision_at : at;
}

int daemon_while_held(void *ctx)
{
	struct daemon *a = ctx;

	scan(a);
	look_after(a);
	daemon_watch_complete(a);
	return guest_has_changed(&a->g) || wanted(a) <= clock_ticks();
}

static void heartbeat(struct daemon *a)
{
	int64_t hold;

	if (clock_ticks() < a->beat_at || a->stop)
		return;
	a->results_sent = a->results_count;
	hold = beat_hold(a, wanted(a));
	beat(a, hold);
	a->results_sent = 0;
	/* No line is held before what is due has been done: soon. */
	if (hold == 0 && a->holds && a->beat_at > clock_ticks() + CLOCK_SECOND)
		a->beat_at = clock_ticks() + CLOCK_SECOND;
}

/* Disks that only the provider can name are found with the next look. */
static void fetch_credentials(struct daemon *a)
{
	int rc;

	if (!a->credentials_due)
		return;
	rc = credentials_fetch(&a->g);
	a->credentials_due = rc < 0 && a->g.offline;
	if (rc > 0)
		a->scan_at = 0;
	if (rc < 0 && !a->g.offline)
		log_warning("the provider's credentials cannot be fetched", "reason", err_text(), NULL);
}

/* In this order: the server must know the devices before it is asked about them, and of a close before the next
 * request. */
static void with_server(struct daemon *a)
{
	struct guest *g = &a->g;

	/* Each step may find the server away; then none of the others is tried before it is time. */
	if (guest_may_call(g))
		publish(a);
	if (guest_may_call(g))
		fetch_credentials(a);
	for (int i = 0; i < g->devices_count && guest_may_call(g); i++)
		request_tell(g, &g->devices[i]);
	if (guest_may_call(g) && has_reencrypted(a))
		order_reencrypted(a);
	if (guest_may_call(g))
		order_run(a);
	if (guest_may_call(g))
		reencrypt_tell(g, &a->reencrypt);
	if (guest_may_call(g))
		do_provision(a);
	for (int i = 0; i < g->devices_count && guest_may_call(g) && !a->stop; i++)
		ask_for(a, &g->devices[i]);
	for (int i = 0; i < g->devices_count && guest_may_call(g); i++)
		request_tell(g, &g->devices[i]);
	daemon_watch_complete(a);
	if (guest_may_call(g))
		report_start(a);
	if (guest_may_call(g))
		heartbeat(a);
}

static clock_us next_turn(const struct daemon *a)
{
	clock_us now = clock_ticks(), at = now + SLEEP_MOST;

	for (int i = 0; i < a->g.devices_count; i++)
		if (a->g.devices[i].wake < at && !device_rests(&a->g.devices[i]))
			at = a->g.devices[i].wake;
	if (a->g.registered && a->beat_at < at)
		at = a->beat_at;
	if (a->g.registered && a->scan_at < at)
		at = a->scan_at;
	if (a->g.registered && (a->orders_count || a->inventory_due || (a->provision_due && a->provision_at < at)))
		at = now;
	/* Nothing of this helps before the server may be tried again. */
	if (a->g.next_try > at)
		at = a->g.next_try < now + SLEEP_MOST ? a->g.next_try : now + SLEEP_MOST;
	if ((a->mount_complete.pid || a->reencrypt.pid) && at > now + CLOCK_SECOND)
		at = now + CLOCK_SECOND;
	return at > now ? at - now : 0;
}

static void rest(struct daemon *a)
{
	struct pollfd fd = { a->signal_fd, POLLIN, 0 };
	clock_us wait = next_turn(a);

	/* Rounded up, so that a wait below a millisecond does not become a busy loop. */
	poll(&fd, 1, (int)((wait + 999) / 1000));
}

static void turn(struct daemon *a)
{
	daemon_signals(a);
	if (a->reload)
		reload(a);
	refresh(a);
	if (a->g.registered && a->g.link) {
		scan(a);
		look_after(a);
		daemon_watch_complete(a);
		with_server(a);
	}
	if (!a->g.registered && !a->ready)
		daemon_say_ready(a, "READY=1\nSTATUS=not registered: run keyward-config");
	/* A signal may have come while something long was done, and been seen there. */
	if (!daemon_signals(a) && !a->stop && !a->reload && !may_renew(a))
		rest(a);
}

/* Early in a boot: an agent that looked before the disks are there would say that there is nothing to wait for. */
static void await_disks(struct daemon *a)
{
	struct pollfd fd = { a->signal_fd, POLLIN, 0 };
	clock_us until = clock_ticks() + DISKS_MOST;

	while (hotplug_busy() && clock_ticks() < until && poll(&fd, 1, DISKS_STEP_MS) == 0)
		;
}

/* Where this process leaves memory behind, keys could be in it. */
static void harden(void)
{
	static const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	umask(022);      /* of mount points; files say their modes themselves */
}

/* Programs that look whether an agent runs have the lock for that moment, which keeps none from starting. */
static int lock_alone(const struct guest *g)
{
	int tries = 0, lock;

	while ((lock = guest_lock(g, "agent")) == ERR_BUSY && ++tries < LOCK_TRIES)
		poll(NULL, 0, LOCK_STEP_MS);
	return lock;
}

static int start(struct daemon *a, const struct daemon_options *o)
{
	int lock, rc;

	catch_signals(a);
	rc = guest_open(&a->g, o->conf, o->state, NULL);
	if (rc < 0)
		return rc;
	a->g.wake_fd = a->signal_fd;
	a->g.tends = 1;
	if (o->log_level)
		rc = agent_conf_set(&a->g.conf, "log_level", o->log_level);
	if (rc == 0 && o->log_file)
		rc = agent_conf_set(&a->g.conf, "log_file", o->log_file);
	if (rc == 0)
		rc = open_log(a);
	if (rc == 0)
		rc = daemon_log_level(a, agent_conf_text(&a->g.conf, AGENT_LOG_LEVEL));
	lock = rc == 0 ? lock_alone(&a->g) : rc;
	if (lock < 0)
		return lock;
	/* Held until the process ends; the number in it is for keyward-config to wake us by. */
	if (ftruncate(lock, 0) == 0)
		dprintf(lock, "%d\n", (int)getpid());
	daemon_find_complete(a);
	if (a->g.registered)
		rc = guest_link(&a->g);
	else
		log_warning("this machine is not registered: run keyward-config --register", NULL);
	a->reencrypt.fd = -1;
	a->hotplug_fd = hotplug_open();
	await_disks(a);
	a->inventory_due = a->provision_due = a->report_due = a->credentials_due = 1;
	a->ready_until = clock_ticks() + agent_conf_number(&a->g.conf, AGENT_READY_SECONDS) * CLOCK_SECOND;
	return rc;
}

/* The program on disk in place of this one, in the same process: a package was upgraded. Volumes stay open; what comes finds them, as
 * after a kill. */
static int renew(char **argv)
{
	log_info("begins anew with the program that is installed now; volumes stay open", NULL);
	execvp(argv[0], argv);
	log_error("cannot begin anew", "program", argv[0], "reason", strerror(errno), NULL);
	return 1;
}

static int run(struct daemon *a, const struct daemon_options *o)
{
	int rc = start(a, o);

	if (rc < 0) {
		log_error("cannot start", "reason", err_text(), NULL);
		return 1;
	}
	log_info("keyward-agent runs", "version", HOST_AGENT_VERSION, "provider", a->g.provider->name, "instance",
		a->g.who.instance_id, NULL);
	while (!a->stop && !may_renew(a))
		turn(a);
	if (!a->stop)
		return 0;
	a->renew = 0;
	notify("STOPPING=1");
	return stop(a) < 0;
}

static int show_facts(struct guest *g, const struct daemon_options *o)
{
	json_t *facts;

	if (guest_open(g, o->conf, o->state, NULL) < 0) {
		fprintf(stderr, "keyward-agent: %s\n", err_text());
		return 1;
	}
	facts = guest_facts(g);
	json_dumpf(facts, stdout, JSON_INDENT(1) | JSON_SORT_KEYS);
	putchar('\n');
	json_decref(facts);
	guest_close(g);
	return 0;
}

int main(int argc, char **argv)
{
	static struct daemon a;
	struct daemon_options o = { 0 };
	struct buf help = BUF_INIT;
	int status = 0;

	harden();
	secret_init();
	log_open("agent", LOG_LEVEL_INFO);
	if (option_parse(&daemon_table, argc, argv, &o) < 0) {
		fprintf(stderr, "keyward-agent: %s; --help shows the options\n", err_text());
		return 2;
	}
	if (o.version) {
		puts("keyward-agent " HOST_AGENT_VERSION);
	} else if (o.help) {
		option_help(&daemon_table, &help);
		fputs(buf_str(&help), stdout);
		buf_free(&help);
	} else if (o.facts) {
		status = show_facts(&a.g, &o);
	} else {
		status = run(&a, &o);
		guest_close(&a.g);
		if (status == 0 && a.renew)
			status = renew(argv);
	}
	return status;
}
