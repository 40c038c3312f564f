/* daemon.h - the state of keyward-agent as a process: one thread, one loop. agentd.c is the loop, beat.c heartbeats,
 * order.c what the server orders, complete.c scripts and readiness, stop.c the end. */
#ifndef AGENT_DAEMON_DAEMON_H
#define AGENT_DAEMON_DAEMON_H

#include "agent/common/option.h"
#include "agent/daemon/reencrypt.h"
#include "agent/daemon/script.h"
#include "agent/guest/guest.h"

#define DAEMON_DONE_MAX 64       /* orders remembered, so that one given twice is done once */

struct daemon_options {
	int help, version, facts;
	const char *conf, *state, *log_level, *log_file;
};

/* agent_options.c */
extern const struct option_table daemon_table;

struct daemon {
	struct guest g;
	int signal_fd;                           /* readable when a signal has come */
	int hotplug_fd;                          /* hotplug.h; -1: none */
	volatile int stop, reload, renew;        /* set by daemon_signals */
	struct script mount_complete;            /* runs beside everything else */
	int complete;                            /* it has run, or runs, since the last teardown */

	int inventory_due, provision_due, report_due, credentials_due;
	clock_us provision_at, scan_at, refresh_at;      /* clock_ticks() */
	uint64_t published;                      /* digest of the inventory the server has; 0: none */
	unsigned outages;                        /* of guest's, after which it was published again */

	clock_us beat_at;                        /* the next heartbeat no later than this */
	int results_sent;                        /* of results, with the heartbeat under way */
	int holds;                               /* the server held the line when it was asked to */
	int breaks;                              /* of held lines, in a row */
	int64_t hold_s;                          /* for so long the way to the server keeps a silent line; 0: long enough */
	clock_us hold_until;                     /* then HOLD_S is tried out anew */
	struct proto_order_result results[PROTO_ORDERS_MAX];     /* not yet told */
	int results_count;
	struct proto_order_result done[DAEMON_DONE_MAX];         /* a ring */
	unsigned done_count;
	struct proto_order orders[PROTO_ORDERS_MAX];             /* received, not yet begun */
	int orders_count;
	struct reencrypt reencrypt;
	char log_level[16];
	int ready;                               /* systemd has been told */
	clock_us ready_until;                    /* tell it by then, whatever is mounted */
};

/* Reads the pipe of signals; sets stop, reload and renew. 1 when there was one. */
int daemon_signals(struct daemon *a);
/* Begins to close D: DEVICE_CLOSING, or DEVICE_CLOSED when there is nothing to close. REASON is an enum proto_reason. */
void daemon_close_begin(struct daemon *a, struct device *d, int reason, int force);
/* Level by name, everywhere it is kept. */
int daemon_log_level(struct daemon *a, const char *name);

/* complete.c */
/* The teardown program, before the first volume is closed; waits for it. */
void daemon_teardown(struct daemon *a, const struct device *d, int reason);
/* Runs mount_complete when all volumes are mounted, and says that the agent is ready when there is nothing to wait for, or no more time. */
void daemon_watch_complete(struct daemon *a);
void daemon_say_ready(struct daemon *a, const char *text);
/* Whether mount_complete has run before an agent that ended. */
void daemon_find_complete(struct daemon *a);

/* beat.c: sends a heartbeat, the server holding the line for up to WAIT seconds; takes orders in. Sets beat_at. */
int beat(struct daemon *a, int64_t wait);
/* For how many seconds the line is to be held, when nothing is due before UNTIL (clock_ticks). 0: not at all. */
int64_t beat_hold(const struct daemon *a, clock_us until);
/* agentd.c: what can be done without the server while it holds the line. 1: something has come up that wants it. */
int daemon_while_held(void *a);

/* order.c */
/* Sends the facts; ORDER nil: without one. */
int daemon_report(struct daemon *a, enum proto_reason reason, const struct uuid *order);
int order_list(const struct daemon *a, struct proto_order_begun out[static PROTO_ORDERS_MAX]);    /* begun, not finished: how many */
void order_take(struct daemon *a, const struct proto_order *o);      /* queues what is new */
void order_run(struct daemon *a);                                     /* carries out what is queued */
void order_closed(struct daemon *a, const struct device *d);          /* the device's closing is over */
void order_reencrypted(struct daemon *a);                             /* the process has ended: told, and the order's result with it */

/* stop.c: closes everything. 0, or ERR_BUSY when a volume had to be left open. */
int stop(struct daemon *a);

#endif
