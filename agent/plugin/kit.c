/* kit.c - standard input to a question, an answer to standard output. */
#include "agent/plugin/kit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"

/* Credentials may be in it, so it is not left behind in a core dump or for others to look at. */
static int read_question(struct secret *into, size_t *len)
{
	ssize_t n = 1;

	*len = 0;
	while (n != 0 && *len < into->len) {
		n = read(STDIN_FILENO, into->data + *len, into->len - *len);
		if (n < 0 && errno != EINTR)
			return err_set(ERR_IO, "reading the question: %s", strerror(errno));
		*len += n > 0 ? (size_t)n : 0;
	}
	return *len == into->len ? err_set(ERR_TOO_LARGE, "a question has at most %d bytes", PLUGIN_QUESTION_MAX) : 0;
}

static int object_or_empty(const json_t *o, const char *name, json_t **out)
{
	json_t *v = json_object_get(o, name);

	if (v && !json_is_object(v))
		return err_set(ERR_INVALID, "%s: an object is needed", name);
	*out = v ? json_incref(v) : json_object();
	return 0;
}

struct parsed {
	json_t *whole, *settings, *credentials;
	struct kit_question q;
};

static int parse_question(const struct secret *text, size_t len, struct parsed *p)
{
	const char *name = "";
	int64_t version = 0;
	int rc = json_parse_object((const char *)text->data, len, PLUGIN_QUESTION_MAX, &p->whole);

	if (rc == 0)
		rc = json_get_int(p->whole, "keyward", 1, INT32_MAX, &version);
	if (rc == 0 && version != PLUGIN_VERSION)
		rc = err_set(ERR_VERSION, "this plug-in speaks version %d, not %d", PLUGIN_VERSION, (int)version);
	if (rc == 0)
		rc = json_get_string(p->whole, "question", PROTO_WORD_MAX, &name);
	if (rc == 0)
		rc = object_or_empty(p->whole, "settings", &p->settings);
	if (rc == 0)
		rc = object_or_empty(p->whole, "credentials", &p->credentials);
	if (rc == 0)
		rc = object_or_empty(p->whole, "memo", &p->q.memo);
	if (rc == 0)
		rc = json_get_string_opt(p->whole, "device", PROTO_ID_MAX, &p->q.device);
	if (rc < 0)
		return rc;
	rc = plugin_question_find(name);
	if (rc < 0)
		return err_set(ERR_UNSUPPORTED, "this plug-in has no question \"%s\"", name);
	p->q.question = (enum plugin_question)rc;
	p->q.settings = p->settings;
	p->q.credentials = p->credentials;
	return 0;
}

static int answer(const struct kit *k, struct kit_question *q, json_t **out)
{
	const struct plugin_row *row = &plugin_questions[q->question];
	int (*fill)(struct kit_question *, void *) = k->answer[q->question];
	void *s;
	int rc;

	if (q->question == PLUGIN_DESCRIBE)
		return plugin_answer_write(PLUGIN_DESCRIBE, k->about, out);
	if (fill == NULL)
		return err_set(ERR_UNSUPPORTED, "this plug-in does not answer \"%s\"", row->name);
	if ((q->question == PLUGIN_ATTACH || q->question == PLUGIN_DETACH) && q->device[0] == '\0')
		return err_set(ERR_INVALID, "device: missing");
	s = mem_alloc(row->answer->size);
	rc = fill(q, s);
	if (rc == 0)
		rc = plugin_answer_write(q->question, s, out);
	if (rc == 0 && q->keep_memo)
		json_object_set(*out, "memo", q->memo);
	if (rc == 0 && q->warning[0])
		json_set_string(*out, "warning", q->warning);
	free(s);
	return rc;
}

int kit_main(const struct kit *k)
{
	struct parsed p = { NULL, NULL, NULL, { .device = "" } };
	struct secret *text;
	json_t *out = NULL;
	size_t len = 0;
	char *line;
	int rc;

	prctl(PR_SET_DUMPABLE, 0);
	secret_init();
	log_open(k->about->name, LOG_LEVEL_DEBUG);
	text = secret_new(PLUGIN_QUESTION_MAX + 1);
	rc = read_question(text, &len);
	if (rc == 0)
		rc = parse_question(text, len, &p);
	secret_free(text);
	if (rc == 0)
		rc = answer(k, &p.q, &out);
	if (rc < 0)
		out = plugin_error_write(rc, err_text(), p.q.advice);
	line = json_text(out);
	puts(line);
	fflush(stdout);
	/* The process ends here, and with it every copy of what it was told. */
	_exit(rc < 0);
}

const char *kit_text(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "";
}

void kit_devices(const struct proto_device *found, int count, struct plugin_devices *out)
{
	for (int i = 0; i < count; i++) {
		struct plugin_device *d = &out->devices[out->devices_count++];

		memcpy(d->id, found[i].id, sizeof d->id);
		memcpy(d->name, found[i].name, sizeof d->name);
		memcpy(d->path, found[i].path, sizeof d->path);
		d->kind = found[i].kind;
		d->size_bytes = found[i].size_bytes;
	}
}
