/* provider.h - the seam to what runs this machine: who we are, which devices there are, and how one is attached. A provider is a
 * plug-in, an executable that is asked one question per process (docs/plugins.md); this file's functions are the questions as the
 * rest of the agent knows them. What is on a device is not a provider's affair (inventory.h). */
#ifndef AGENT_PROVIDER_PROVIDER_H
#define AGENT_PROVIDER_PROVIDER_H

#include <stddef.h>

#include "agent/common/conf.h"
#include "agent/provider/answer.h"
#include "base/secret.h"
#include "proto/message.h"

struct provider_context {
	const struct agent_conf *conf;
	const char *state_dir;
	const struct secret *credentials;        /* text of a JSON object, without a zero byte; NULL: none are at hand */
	const char *options;                     /* settings "name=value,name=value" that go before all others; NULL: none */
};

struct provider_identity {
	char instance_id[PROTO_ID_MAX + 1];
	char image_id[PROTO_ID_MAX + 1];
	char image_name[PROTO_TEXT_MAX + 1];
	char region[PROTO_WORD_MAX + 1], zone[PROTO_WORD_MAX + 1];
};

struct provider {
	char name[PROTO_WORD_MAX + 1];
	char path[PROTO_PATH_MAX + 1];
	struct plugin_description about;
	json_t *settings;        /* name: value, each one that the plug-in has described */
	json_t *memo;            /* what it gave to remember; NULL at first */
};

/* Where plug-ins are, by the configuration file or else as installed. */
const char *provider_folder(const struct agent_conf *conf);
/* Finds, checks and asks the plug-in NAME to describe itself; settings are those remembered, then those of the file, then the options. ERR_NOT_FOUND names those that there are;
 * ERR_FORBIDDEN: its file is writable by others; ERR_INVALID: it or its settings are not as they should be. End with provider_close. */
int provider_open(const char *name, const struct provider_context *ctx, struct provider **out);
/* The same for the file at PATH, wherever it lies and whoever may write it: for tests of plug-ins. */
int provider_open_file(const char *path, struct provider **out);
void provider_close(struct provider *p);
/* Calls EACH with every name in the folder, in order; P is NULL when the plug-in cannot be used (err_text() says why). */
void provider_each(const struct provider_context *ctx, void (*each)(void *arg, const char *name, const struct provider *p), void *arg);
/* One setting "name=value". ERR_INVALID names those that there are. */
int provider_set(struct provider *p, const char *assignment);

/* The options are kept in the state folder, for the next time. ERR_IO. */
int provider_remember(const struct provider *p, const struct provider_context *ctx);

/* One question: ARGS (may be NULL; the reference is taken) joins the question, OUT is the struct of its answer. Warnings and what the
 * plug-in writes to standard error go to the log. ERR_UNSUPPORTED when it does not answer that. */
int provider_ask(struct provider *p, const struct provider_context *ctx, enum plugin_question q, json_t *args, void *out);

/* Who this machine is, and where; both are asked once. instance_id of the configuration file goes before the plug-in's. */
int provider_identify(struct provider *p, const struct provider_context *ctx, struct provider_identity *out);
/* Fills id, name, path, kind and size of at most MAX devices, with ids that stay the same over reboots and are unique in the list; those
 * named in the configuration file too. The count, or a negative ERR_ code. */
int provider_list(struct provider *p, const struct provider_context *ctx, struct proto_device *out, size_t max);

#endif
