/* kit.h - what every plug-in of ours in C has in common: reading the question, finding who answers it, writing the answer. A plug-in
 * is a struct kit and a main of one line. docs/plugins.md says what goes over standard input and output. */
#ifndef AGENT_PLUGIN_KIT_H
#define AGENT_PLUGIN_KIT_H

#include "agent/provider/answer.h"
#include "base/err.h"

struct kit_question {
	enum plugin_question question;
	const json_t *settings, *credentials;    /* objects, empty where there are none */
	const char *device;                      /* attach, detach: its id; else "" */
	json_t *memo;                            /* an object to read and to change: it is handed back when KEEP_MEMO is set */
	int keep_memo;
	char warning[PROTO_TEXT_MAX + 1];        /* for the agent's log */
	const char *advice;                      /* with an error: what to do about it */
};

struct kit {
	const struct plugin_description *about;
	/* By question, NULL where it is not answered: fills the zeroed struct of the answer; 0 or an ERR_ code with err_set. */
	int (*answer[PLUGIN_QUESTION_COUNT])(struct kit_question *q, void *out);
};

/* Answers the one question on standard input; the exit status. */
int kit_main(const struct kit *k);

/* The machine by its firmware's id, else /etc/machine-id; the image by os-release. For providers that have no better ids. */
void kit_machine(struct plugin_identity *out);
/* What the kernel shows as devices of an answer. */
void kit_devices(const struct proto_device *found, int count, struct plugin_devices *out);
/* Text of a setting or credential; "" where it is not given. */
const char *kit_text(const json_t *o, const char *name);

#endif
