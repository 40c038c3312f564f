/* answer.h - what a provider plug-in can be asked and what it answers: typed structs, one table of questions. docs/plugins.md
 * describes the same for authors of plug-ins. Text from a plug-in becomes one of these structs here and nowhere else. */
#ifndef AGENT_PROVIDER_ANSWER_H
#define AGENT_PROVIDER_ANSWER_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "proto/message.h"

#define PLUGIN_VERSION 1
#define PLUGIN_QUESTION_MAX (64 * 1024)          /* bytes on standard input */
#define PLUGIN_ANSWER_MAX (256 * 1024)           /* on standard output */
#define PLUGIN_FIELDS_MAX 32
#define PLUGIN_MEMO_MAX (16 * 1024)
#define PLUGIN_USER_DATA_MAX 65535
#define PLUGIN_CREDENTIALS_MAX 2048              /* the JSON object of names and values; what is sealed must fit into a message */

/* id, name on the wire, seconds that it may take, the capability without which it is not asked, struct of the answer */
#define PLUGIN_QUESTIONS(X) \
	X(DESCRIBE, "describe", 10, ALWAYS, plugin_description) \
	X(IDENTIFY, "identify", 60, ALWAYS, plugin_identity) \
	X(LIST, "list", 60, ALWAYS, plugin_devices) \
	X(LOCATION, "location", 60, LOCATION, plugin_location) \
	X(USER_DATA, "user_data", 60, USER_DATA, plugin_user_data) \
	X(ATTACH, "attach", 180, ATTACH, plugin_attached) \
	X(DETACH, "detach", 180, ATTACH, plugin_nothing) \
	X(CHECK, "check_credentials", 60, CREDENTIALS, plugin_account)

enum plugin_question {
#define X(id, name, seconds, needs, type) PLUGIN_##id,
	PLUGIN_QUESTIONS(X)
#undef X
	PLUGIN_QUESTION_COUNT
};

enum plugin_capability { PLUGIN_NEEDS_ALWAYS, PLUGIN_NEEDS_LOCATION, PLUGIN_NEEDS_USER_DATA, PLUGIN_NEEDS_ATTACH, PLUGIN_NEEDS_CREDENTIALS };

/* A setting, or a part of the credentials. */
struct plugin_field {
	char name[PROTO_WORD_MAX + 1];
	char help[PROTO_TEXT_MAX + 1];
	char standard[PROTO_TEXT_MAX + 1];       /* "default" on the wire */
	int required, secret;
};

struct plugin_description {
	char name[PROTO_WORD_MAX + 1];
	char title[PROTO_TEXT_MAX + 1];
	char version[PROTO_WORD_MAX + 1];
	int location, user_data, attach;         /* what else it can be asked; attach: and detach */
	int settings_count, credentials_count;
	struct plugin_field settings[PLUGIN_FIELDS_MAX], credentials[PLUGIN_FIELDS_MAX];
};

struct plugin_identity {
	char instance_id[PROTO_ID_MAX + 1];      /* "": the provider has no id for this machine */
	char image_id[PROTO_ID_MAX + 1];
	char image_name[PROTO_TEXT_MAX + 1];
};

struct plugin_location {
	char region[PROTO_WORD_MAX + 1], zone[PROTO_WORD_MAX + 1];
};

struct plugin_device {
	char id[PROTO_ID_MAX + 1];
	char name[PROTO_TEXT_MAX + 1];
	char path[PROTO_TEXT_MAX + 1];
	int kind;                                /* enum proto_device_kind */
	int64_t size_bytes;
};

struct plugin_devices {
	int devices_count;
	struct plugin_device devices[PROTO_DEVICES_MAX];
};

struct plugin_user_data {
	char user_data[PLUGIN_USER_DATA_MAX + 1];        /* "": there is none */
};

struct plugin_attached {
	char path[PROTO_TEXT_MAX + 1];
};

struct plugin_nothing {
	int unused;
};

struct plugin_account {
	char account[PROTO_TEXT_MAX + 1];        /* whose credentials they are, for people */
};

/* Every answer may have one of these besides. */
struct plugin_common {
	json_t *memo;            /* handed back with the next question; owned */
	char warning[PROTO_TEXT_MAX + 1];
	int refusal;             /* the ERR_ code of an error answer; 0: none */
};

struct plugin_error {
	char code[32];                           /* err_name() of an ERR_ code */
	char text[PROTO_TEXT_MAX + 1];
	char advice[PROTO_TEXT_MAX + 1];         /* what to do about it */
};

struct plugin_row {
	const char *name;
	int seconds;
	enum plugin_capability needs;
	const struct proto_fields *answer;
};

extern const struct plugin_row plugin_questions[PLUGIN_QUESTION_COUNT];
/* The question called NAME, or ERR_NOT_FOUND. */
int plugin_question_find(const char *name);
/* 1 when a plug-in that describes itself like this can be asked Q. */
int plugin_answers(const struct plugin_description *d, enum plugin_question q);

/* TEXT: what a plug-in has written. Fills the row's struct at OUT (zeroed first) and *COMMON, whose memo the caller releases. An
 * error answer gives its ERR_ code (ERR_INTERNAL for one that is unknown; also in COMMON->refusal) with its text and advice as
 * err_text(). What is no answer: ERR_INVALID, ERR_TOO_LARGE, ERR_VERSION, and COMMON->refusal 0. */
int plugin_answer_read(enum plugin_question q, const char *text, size_t len, void *out, struct plugin_common *common);
/* The other direction, for plug-ins in C: a new object. */
int plugin_answer_write(enum plugin_question q, const void *in, json_t **out);
/* CODE, TEXT and ADVICE (may be NULL) as an answer; a new reference. */
json_t *plugin_error_write(int code, const char *text, const char *advice);

#endif
