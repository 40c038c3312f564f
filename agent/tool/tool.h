/* tool.h - keyward-config taken apart: config.c is the command line, config_options.c its options, say.c what is said and how
 * it ends, server.c the way to the server, enrol.c registration, await.c waiting for what the console decides, show.c lists, ask.c questions,
 * config_batch.c the batch file, config_proxy.c the proxy. Each action returns one of the exit codes and has said what went wrong. */
#ifndef AGENT_TOOL_TOOL_H
#define AGENT_TOOL_TOOL_H

#include <jansson.h>
#include <stdio.h>

#include "agent/common/option.h"
#include "agent/guest/guest.h"
#include "agent/tool/batch.h"
#include "base/secret.h"

/* code, number, name in JSON, what it means (in --help). Scripts rely on them: new ones may come, none may change. */
#define TOOL_EXITS(X) \
	X(OK, 0, "ok", "done") \
	X(FAILURE, 1, "failed", "failed; the message says why") \
	X(USAGE, 2, "usage", "options or settings cannot be used") \
	X(UNREACHABLE, 3, "unreachable", "the server cannot be reached or trusted") \
	X(REFUSED, 4, "refused", "the server refuses: wrong passphrase or account, suspended, not permitted") \
	X(TIMED_OUT, 5, "timed-out", "not done within the time limit") \
	X(INTERRUPTED, 130, "interrupted", "ended by Ctrl-C or a signal; nothing is left half done")

enum tool_exit {
#define X(id, number, name, text) TOOL_##id = (number),
	TOOL_EXITS(X)
#undef X
};

struct tool_options {
	int help, version, list_plugins, register_, force, publish, with_provisioning, mount, device_list, status, json,
		quiet, ignore_ssl_error, saas, batch, remove_old_slots;
	int update_credentials, give_credentials;        /* the latter by tool_take_credentials */
	long timeout;                    /* minutes */
	const char *url, *account, *passphrase_file, *csp, *ca_file, *state, *conf, *proxy_user, *proxy_password_file,
		*devices, *options, *new_credentials_file, *original_credentials_file, *plugin, *adopt,
		*hand_over, *decrypt, *key_file, *mount_point;
	struct secret *passphrase, *proxy, *new_credentials, *original_credentials;      /* with a zero byte at the end */
};

extern const struct option_table tool_table;

struct tool {
	struct guest g;
	struct tool_options o;
	struct secret *passphrase;       /* with a zero byte at its end; NULL while not known */
	struct secret *new_credentials, *original_credentials;   /* "K=V,..." likewise */
	clock_us until;                  /* clock_ticks(): the time limit */
	int asks;                        /* a person answers on the terminal */
	struct tool_batch *batch;        /* what --devices says; NULL without */
	json_t *result;                  /* what --json prints at the end: each action adds its members */
};

/* say.c */
/* Prints a line to stdout unless --quiet or --json. */
void tool_say(const struct tool *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Says on stderr, and in the result, what went wrong; returns CODE. */
enum tool_exit tool_complain(struct tool *t, enum tool_exit code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same with WHAT failed, why (err_text()) and, where it is known, what to do. The exit code for RC. */
enum tool_exit tool_failed(struct tool *t, int rc, const char *what);
/* Progress of one thing: a bar in place on a terminal, else a line every ten per cent. */
void tool_progress(const struct tool *t, const char *thing, const char *stage, int percent);
/* Prints the result where a script wants it. The exit code: another than CODE where the output could not be written. */
enum tool_exit tool_end(struct tool *t, enum tool_exit code);
void tool_help(void);
/* Ctrl-C and SIGTERM from now on only set a flag. */
void tool_catch_signals(struct tool *t);
/* 1 when a person is there to be asked: a terminal, and nothing that says that this is a script. */
int tool_may_ask(const struct tool *t);
/* What a person looks at: questions go there also when standard output goes into a file. */
FILE *tool_screen(void);
/* Of the terminal that standard output is; STANDARD where it is none. */
int tool_columns(int standard);
/* What is printed next begins on a line of its own, also where a bar of progress is shown. */
void tool_end_bar(void);
int tool_interrupted(void);      /* 1 when one has come */
int tool_typed(void);            /* waits until standard input can be read: 1; or a signal has come: 0 */
/* Sleeps; less when a signal comes. */
void tool_nap(int64_t seconds);

/* server.c: connects as the registered guest. */
enum tool_exit tool_link(struct tool *t);
/* 1 when keyward-agent runs on this machine (with this run folder). */
int tool_agent_runs(const struct guest *g);
/* An agent that runs looks at once at what has changed for it. */
void tool_wake_agent(const struct guest *g);

enum tool_exit enrol(struct tool *t);

/* config_batch.c */
int batch_read(struct tool *t);          /* before anything else is done; ERR_INVALID with all mistakes */
void batch_free(struct tool *t);
enum tool_exit batch_propose(struct tool *t);
/* A device's encryption has ended; REASON NULL: well. Also for devices that are not in the batch. */
void batch_ended(struct tool *t, const char *device, const char *reason);
/* While keyward-agent does the work: A is what is still to be done. */
void batch_watch(struct tool *t, const struct proto_provisioning_answer *a);
int batch_is_over(const struct tool *t);
enum tool_exit batch_show(struct tool *t);       /* the summary; TOOL_FAILURE when a device failed */
/* tool_credentials.c */
/* From options, files and environment, where they are overwritten or removed. ERR_INVALID. */
int tool_take_credentials(struct tool *t);
/* Gives the image credentials, or replaces them, once the plug-in's check has succeeded. */
enum tool_exit tool_give_credentials(struct tool *t);

/* plugin_install.c: checks the plug-in in --plugin and puts it into the folder of plug-ins. */
enum tool_exit plugin_install(struct tool *t);

enum tool_exit await_provisioning(struct tool *t);
enum tool_exit await_mounts(struct tool *t);

/* config_adopt.c, config_release.c: volumes that change hands */
enum tool_exit adopt_volume(struct tool *t);
enum tool_exit hand_over_volume(struct tool *t);
enum tool_exit decrypt_volume(struct tool *t);

/* config_proxy.c */
enum tool_exit proxy_settings(struct tool *t);

enum tool_exit show_devices(struct tool *t);
enum tool_exit show_status(struct tool *t);
enum tool_exit show_plugins(struct tool *t);
void show_plugin_names(const struct tool *t);       /* a line for each that works, for who has to choose one */

/* Fills in the options by asking. ERR_INVALID when the input ends, or nothing shall be done. */
int ask_options(struct tool *t);
/* One line without echo; *OUT as t->passphrase. ERR_NOT_FOUND for an empty one; ERR_INVALID when the input has ended. */
int ask_passphrase(const char *prompt, struct secret **out);

#endif
