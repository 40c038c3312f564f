/* tool.h - keyward-config taken apart: config.c is the command line, enrol.c registration, await.c waiting for what the
 * console decides, show.c output, ask.c questions. Each action returns one of the exit codes and has said what went
 * wrong. */
#ifndef AGENT_TOOL_H
#define AGENT_TOOL_H

#include "agent/guest.h"
#include "base/secret.h"

/* code, number, what it means (in --help) */
#define TOOL_EXITS(X) \
	X(OK, 0, "done") \
	X(FAILURE, 1, "failed; the message says why") \
	X(USAGE, 2, "options or settings cannot be used") \
	X(UNREACHABLE, 3, "the server cannot be reached or trusted") \
	X(REFUSED, 4, "the server refuses: wrong passphrase or account, suspended, not permitted") \
	X(TIMED_OUT, 5, "not done within the time limit")

enum tool_exit {
#define X(id, number, text) TOOL_##id = (number),
	TOOL_EXITS(X)
#undef X
};

struct tool_options {
	int help, version, list_plugins, register_, force, publish, with_provisioning, mount, device_list, status, json,
		quiet, ignore_ssl_error;
	long timeout;                    /* minutes */
	const char *url, *account, *passphrase, *passphrase_file, *csp, *ca_file, *state, *conf;
};

struct tool {
	struct guest g;
	struct tool_options o;
	struct secret *passphrase;       /* with a zero byte at its end; NULL while not known */
	clock_us until;                  /* clock_ticks(): the time limit */
};

/* Prints to stdout unless --quiet. */
void tool_say(const struct tool *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Says on stderr WHAT failed, why (err_text()) and, where it is known, what to do. The exit code for RC. */
enum tool_exit tool_failed(const struct tool *t, int rc, const char *what);
/* Connects as the registered guest. */
enum tool_exit tool_link(struct tool *t);

enum tool_exit enrol(struct tool *t);
/* Reads the passphrase from where the options or the environment say; t->passphrase stays NULL when they say nothing. */
int enrol_take_passphrase(struct tool *t);

enum tool_exit await_provisioning(struct tool *t);
enum tool_exit await_mounts(struct tool *t);

enum tool_exit show_devices(struct tool *t);
enum tool_exit show_status(struct tool *t);
void show_plugins(void);

/* Fills in the options by asking. ERR_INVALID when the input ends. */
int ask_options(struct tool *t);
/* One line without echo; *OUT as t->passphrase. */
int ask_passphrase(const char *prompt, struct secret **out);

#endif
