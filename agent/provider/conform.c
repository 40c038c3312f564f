/* conform.c - the table of checks. Each is one or a few runs of the plug-in and what must hold for what comes out. */
#include "agent/provider/conform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/provider/run.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

#define CANARY "keyward-canary-3f1c"
#define REFUSED 1                /* a proper error answer */

struct trial {
	const struct conform_wish *wish;
	struct plugin_description about;
	json_t *settings;
	struct buf said;                 /* all that came out of all runs */
	int left_over;
	int code;                        /* of the last refusal */
	union {
		struct plugin_description description;
		struct plugin_identity identity;
		struct plugin_location location;
		struct plugin_devices devices;
		struct plugin_user_data user_data;
		struct plugin_attached attached;
		struct plugin_nothing nothing;
		struct plugin_account account;
	} answer;
};

/* 0: an answer, in t->answer; REFUSED; an ERR_ code where it did not behave. */
static int judge(struct trial *t, enum plugin_question q, const struct run_result *r)
{
	struct plugin_common common;
	int rc;

	if (r->status > 1)
		return err_set(ERR_INTERNAL, r->status > 128 ? "signal %d ended it" : "it ended with status %d", r->status > 128 ? r->status - 128
			: r->status);
	rc = plugin_answer_read(q, buf_str(&r->output), r->output.len, &t->answer, &common);
	json_decref(common.memo);
	t->code = common.refusal;
	if (rc < 0 && !common.refusal)
		return rc;
	if (r->status != (common.refusal != 0))
		return err_set(ERR_INVALID, "an error answer must come with status 1, any other with 0; this one came with %d", r->status);
	return common.refusal ? REFUSED : 0;
}

static int run(struct trial *t, enum plugin_question q, const struct iovec *input, int count)
{
	struct run run = { t->wish->path, input, count, plugin_questions[q].seconds, PLUGIN_ANSWER_MAX };
	struct run_result result;
	int rc = run_program(&run, &result);

	buf_add(&t->said, buf_str(&result.output), result.output.len);
	buf_add(&t->said, buf_str(&result.errors), result.errors.len);
	t->left_over |= result.left_over;
	if (rc == 0)
		rc = judge(t, q, &result);
	run_result_free(&result);
	return rc;
}

static int run_text(struct trial *t, enum plugin_question q, const char *text)
{
	char *copy = mem_strdup(text);
	struct iovec input = { copy, strlen(copy) };
	int rc = run(t, q, &input, 1);

	free(copy);
	return rc;
}

/* ARGS (may be NULL) and CREDENTIALS (may be NULL) join the question. */
static int ask(struct trial *t, enum plugin_question q, json_t *args, const struct secret *credentials)
{
	json_t *o = args ? args : json_object();
	char middle[] = ",\"credentials\":", end[] = "}", *text;
	struct iovec input[4];
	int rc;

	if (json_object_get(o, "keyward") == NULL)
		json_set_int(o, "keyward", PLUGIN_VERSION);
	json_set_string(o, "question", plugin_questions[q].name);
	json_object_set(o, "settings", t->settings);
	text = json_text(o);
	json_decref(o);
	input[0] = (struct iovec){ text, strlen(text) - (credentials != NULL) };
	input[1] = (struct iovec){ middle, strlen(middle) };
	input[2] = credentials ? (struct iovec){ credentials->data, credentials->len } : (struct iovec){ NULL, 0 };
	input[3] = (struct iovec){ end, 1 };
	rc = run(t, q, input, credentials ? 4 : 1);
	free(text);
	return rc;
}

static int must_refuse(const struct trial *t, int rc, int code)
{
	if (rc == REFUSED && (code == 0 || t->code == code))
		return 0;
	if (rc < 0)
		return rc;
	return err_set(ERR_INVALID, rc == REFUSED ? "the error's code must be \"%s\", not \"%s\"" : "an error \"%s\" was expected",
		err_name(code ? code : ERR_INVALID), err_name(t->code));
}

static int check_fields(const struct plugin_field *f, int count, int may_be_secret)
{
	for (int i = 0; i < count; i++) {
		if (strspn(f[i].name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(f[i].name))
			return err_set(ERR_INVALID, "the field \"%s\": small letters, digits and _ are for names", f[i].name);
		if (f[i].secret && !may_be_secret)
			return err_set(ERR_INVALID, "the setting \"%s\" is secret: secrets are credentials", f[i].name);
		for (int j = 0; j < i; j++)
			if (strcmp(f[i].name, f[j].name) == 0)
				return err_set(ERR_INVALID, "the field \"%s\" is there twice", f[i].name);
	}
	return 0;
}

static int fill_settings(struct trial *t)
{
	for (int i = 0; i < t->about.settings_count; i++)
		if (t->about.settings[i].standard[0])
			json_set_string(t->settings, t->about.settings[i].name, t->about.settings[i].standard);
	for (int i = 0; t->wish->settings && t->wish->settings[i]; i++) {
		char *copy = mem_strdup(t->wish->settings[i]), *value = copy, *name = strsep(&value, "=");

		json_set_string(t->settings, name, value ? value : "");
		free(copy);
	}
	return 0;
}

static int describes(struct trial *t)
{
	int rc = ask(t, PLUGIN_DESCRIBE, NULL, NULL);

	if (rc != 0)
		return rc == REFUSED ? err_set(ERR_INVALID, "it refuses to describe itself: %s", err_text()) : rc;
	t->about = t->answer.description;
	rc = check_fields(t->about.settings, t->about.settings_count, 0);
	if (rc == 0)
		rc = check_fields(t->about.credentials, t->about.credentials_count, 1);
	return rc == 0 ? fill_settings(t) : rc;
}

static int describes_again(struct trial *t)
{
	int rc = ask(t, PLUGIN_DESCRIBE, json_pack("{s:s, s:{s:[i]}}", "later_member", "x", "another", "n", 1), NULL);

	if (rc == 0 && memcmp(&t->about, &t->answer.description, sizeof t->about) != 0)
		return err_set(ERR_INVALID, "two descriptions differ");
	return rc == REFUSED ? err_set(ERR_INVALID, "members that it does not know must be ignored: %s", err_text()) : rc;
}

static int refuses_noise(struct trial *t)
{
	int rc = must_refuse(t, run_text(t, PLUGIN_DESCRIBE, "this is not JSON"), 0);

	if (rc == 0)
		rc = must_refuse(t, run_text(t, PLUGIN_DESCRIBE, ""), 0);
	if (rc == 0)
		rc = must_refuse(t, run_text(t, PLUGIN_DESCRIBE, "[]"), 0);
	return rc == 0 ? must_refuse(t, run_text(t, PLUGIN_DESCRIBE, "{\"keyward\":1}"), 0) : rc;
}

static int refuses_version(struct trial *t)
{
	return must_refuse(t, ask(t, PLUGIN_DESCRIBE, json_pack("{s:i}", "keyward", 99), NULL), ERR_VERSION);
}

static int refuses_unknown(struct trial *t)
{
	int rc = must_refuse(t, run_text(t, PLUGIN_DESCRIBE, "{\"keyward\":1,\"question\":\"no_such_question\"}"), ERR_UNSUPPORTED);

	for (int q = 0; rc == 0 && q < PLUGIN_QUESTION_COUNT; q++)
		if (!plugin_answers(&t->about, (enum plugin_question)q)) {
			rc = must_refuse(t, ask(t, (enum plugin_question)q, json_pack("{s:s}", "device", "x"), NULL), ERR_UNSUPPORTED);
			if (rc < 0)
				err_wrap(rc, "%s", plugin_questions[q].name);
		}
	return rc;
}

/* A refusal is an answer where the provider is not there; with settings of the author's own it must work. */
static int fine(const struct trial *t, int rc)
{
	if (rc == REFUSED && (t->wish->settings || t->wish->credentials))
		return err_set(t->code, "%s", err_text());
	return rc == REFUSED ? CONFORM_SKIPPED : rc;
}

static int asked(struct trial *t, enum plugin_question q)
{
	return plugin_answers(&t->about, q) ? fine(t, ask(t, q, NULL, t->wish->credentials)) : CONFORM_SKIPPED;
}

static int identifies(struct trial *t)
{
	return asked(t, PLUGIN_IDENTIFY);
}

static int locates(struct trial *t)
{
	return asked(t, PLUGIN_LOCATION);
}

static int gives_user_data(struct trial *t)
{
	return asked(t, PLUGIN_USER_DATA);
}

static int check_devices(const struct plugin_devices *d)
{
	for (int i = 0; i < d->devices_count; i++) {
		if (d->devices[i].path[0] != '/')
			return err_set(ERR_INVALID, "the path \"%s\" of %s does not begin with /", d->devices[i].path, d->devices[i].id);
		for (int j = 0; j < i; j++)
			if (strcmp(d->devices[i].id, d->devices[j].id) == 0)
				return err_set(ERR_INVALID, "two devices have the id %s", d->devices[i].id);
	}
	return 0;
}

static int lists(struct trial *t)
{
	struct plugin_devices *first = mem_alloc(sizeof *first);
	int rc = asked(t, PLUGIN_LIST);

	if (rc == 0)
		rc = check_devices(&t->answer.devices);
	*first = t->answer.devices;
	if (rc == 0)
		rc = asked(t, PLUGIN_LIST);
	for (int i = 0; rc == 0 && i < first->devices_count && i < t->answer.devices.devices_count; i++)
		if (strcmp(first->devices[i].id, t->answer.devices.devices[i].id) != 0)
			rc = err_set(ERR_INVALID, "asked twice, it lists %s, then %s", first->devices[i].id, t->answer.devices.devices[i].id);
	free(first);
	return rc;
}

static int stands_strange_memo(struct trial *t)
{
	json_t *args = json_pack("{s:{s:[i,n,{}], s:s, s:i}}", "memo", "devices", 1, "instance", "x", "at", -1);
	int rc = ask(t, PLUGIN_LIST, args, t->wish->credentials);

	return rc < 0 ? rc : 0;
}

static int refuses_no_device(struct trial *t)
{
	int rc;

	if (!t->about.attach)
		return CONFORM_SKIPPED;
	rc = must_refuse(t, ask(t, PLUGIN_ATTACH, NULL, t->wish->credentials), ERR_INVALID);
	if (rc == 0)
		rc = must_refuse(t, ask(t, PLUGIN_DETACH, NULL, t->wish->credentials), ERR_INVALID);
	return rc == 0 ? must_refuse(t, ask(t, PLUGIN_ATTACH, json_pack("{s:s}", "device", "../no such device"), t->wish->credentials), 0) : rc;
}

static int is_listed(const struct trial *t, const char *id)
{
	for (int i = 0; i < t->answer.devices.devices_count; i++)
		if (strcmp(t->answer.devices.devices[i].id, id) == 0)
			return 1;
	return 0;
}

static int must(struct trial *t, enum plugin_question q)
{
	int rc = ask(t, q, json_pack("{s:s}", "device", t->wish->attach), t->wish->credentials);

	return rc == REFUSED ? err_set(t->code, "%s: %s", plugin_questions[q].name, err_text()) : rc;
}

static int listed_is(struct trial *t, int wanted)
{
	int rc = asked(t, PLUGIN_LIST);

	if (rc == 0 && is_listed(t, t->wish->attach) != wanted)
		rc = err_set(ERR_INVALID, "%s is %s the list", t->wish->attach, wanted ? "not in" : "still in");
	return rc;
}

/* Each twice: who asks again after an answer was lost must get the same. */
static int attaches(struct trial *t)
{
	char path[sizeof t->answer.attached.path];
	int rc;

	if (!t->about.attach || t->wish->attach == NULL)
		return CONFORM_SKIPPED;
	rc = must(t, PLUGIN_ATTACH);
	snprintf(path, sizeof path, "%s", t->answer.attached.path);
	if (rc == 0)
		rc = must(t, PLUGIN_ATTACH);
	if (rc == 0 && strcmp(path, t->answer.attached.path) != 0)
		rc = err_set(ERR_INVALID, "attached twice, it is at %s, then at %s", path, t->answer.attached.path);
	if (rc == 0)
		rc = listed_is(t, 1);
	if (rc == 0)
		rc = must(t, PLUGIN_DETACH);
	if (rc == 0)
		rc = must(t, PLUGIN_DETACH);
	return rc == 0 ? listed_is(t, 0) : rc;
}

static struct secret *made_up(const struct plugin_description *about)
{
	json_t *o = json_object();
	struct secret *s;
	char *text;

	for (int i = 0; i < about->credentials_count; i++)
		json_set_string(o, about->credentials[i].name, CANARY);
	text = json_text(o);
	s = secret_take(text, strlen(text));
	free(text);
	json_decref(o);
	return s;
}

static int checks_credentials(struct trial *t)
{
	struct secret *s;
	int rc;

	if (t->about.credentials_count == 0)
		return CONFORM_SKIPPED;
	s = made_up(&t->about);
	rc = ask(t, PLUGIN_CHECK, NULL, s);
	secret_free(s);
	if (rc == 0)
		return err_set(ERR_INVALID, "made-up credentials pass its check");
	return rc == REFUSED && t->wish->credentials ? asked(t, PLUGIN_CHECK) : rc < 0 ? rc : 0;
}

/* The value of every secret field of CREDENTIALS. */
static int says_secret(const struct trial *t, const char *text)
{
	json_t *o = t->wish->credentials
		? json_loadb((const char *)t->wish->credentials->data, t->wish->credentials->len, 0, NULL) : NULL;
	int found = strstr(text, CANARY) != NULL;

	for (int i = 0; i < t->about.credentials_count; i++) {
		const char *value = json_string_value(json_object_get(o, t->about.credentials[i].name));

		if (value && *value && t->about.credentials[i].secret && strstr(text, value))
			found = 1;
	}
	json_decref(o);
	return found;
}

static int keeps_secrets(struct trial *t)
{
	char *text = mem_dup(buf_str(&t->said), t->said.len);
	int rc;

	for (size_t i = 0; i < t->said.len; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	rc = says_secret(t, text) ? err_set(ERR_INVALID, "a secret of the credentials comes out of it") : 0;
	free(text);
	return t->about.credentials_count ? rc : CONFORM_SKIPPED;
}

static int leaves_nothing(struct trial *t)
{
	return t->left_over ? err_set(ERR_INVALID, "processes that it started are still there when it has ended") : 0;
}

static const struct {
	const char *name;
	int basic;
	int (*check)(struct trial *t);
} checks[] = {
	{ "describes itself", 1, describes },
	{ "describes itself the same again, and ignores members that it does not know", 1, describes_again },
	{ "refuses what is no question", 1, refuses_noise },
	{ "refuses a version of the interface that is not its own", 1, refuses_version },
	{ "refuses questions that it does not say that it answers", 1, refuses_unknown },
	{ "identifies the machine", 0, identifies },
	{ "tells the location", 0, locates },
	{ "gives the user data", 0, gives_user_data },
	{ "lists devices, and the same again", 0, lists },
	{ "stands a memo that is not its own", 0, stands_strange_memo },
	{ "refuses to attach and detach what is not named or not there", 0, refuses_no_device },
	{ "attaches and detaches, and the same again", 0, attaches },
	{ "checks credentials", 0, checks_credentials },
	{ "never says a secret", 0, keeps_secrets },
	{ "leaves no process behind", 1, leaves_nothing },
};

int conform(const struct conform_wish *w)
{
	struct trial *t = mem_alloc(sizeof *t);
	int failed = 0;

	t->wish = w;
	t->settings = json_object();
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		int rc;

		if (w->basic && !checks[i].basic)
			continue;
		rc = checks[i].check(t);
		failed += rc < 0;
		w->told(w->arg, checks[i].name, rc, rc < 0 ? err_text() : "");
		/* Without a description nothing else means anything. */
		if (rc < 0 && i == 0)
			break;
	}
	json_decref(t->settings);
	buf_free(&t->said);
	free(t);
	return failed;
}
