/* console_tool.c - what a tenant's people do in the console, by the console's own store functions and database role,
 * for tests that play guest and console against a running server.
 *
 *     console_tool CONNINFO ACCOUNT
 *
 * Reads ["COMMAND", "ARG"...], one per line, and answers each: a line of JSON where there is something to show, then "done" or
 * "NAME text" of the error. One process for many questions: tests ask while they wait, and a sanitized program takes longer to
 * begin than to answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/device.h"
#include "store/device_custody.h"
#include "store/device_origin.h"
#include "store/instance.h"
#include "store/order.h"
#include "store/policy.h"
#include "store/proposal.h"
#include "store/raid.h"
#include "store/request.h"
#include "store/rotation.h"

#define ARGS_MAX 16

static void show(json_t *o)
{
	char *text = json_text(o);

	puts(text);
	free(text);
	json_decref(o);
}

static int command_devices(struct db *db, char **args)
{
	struct list_query query = { .limit = LIST_LIMIT_MAX };
	json_t *page;
	int rc = device_list(db, &query, &page);

	if (rc == 0)
		show(page);
	return rc;
}

static int command_device(struct db *db, char **args)
{
	struct uuid id;
	json_t *o;
	int rc = uuid_parse(args[0], &id);

	if (rc == 0)
		rc = device_get(db, &id, &o);
	if (rc == 0)
		show(o);
	return rc;
}

/* By what its provider calls it. */
static int command_instance(struct db *db, char **args)
{
	struct db_result *r;
	struct uuid id;
	json_t *o;
	int rc = db_query_row(db, &r, "select id from instance where provider_instance = $1", DB_ARGS(db_text_arg(args[0])));

	if (rc == 0) {
		id = db_uuid(r, 0, 0);
		db_result_free(r);
		rc = instance_get(db, &id, &o);
	}
	if (rc == 0)
		show(o);
	return rc;
}

/* RULE */
static int command_proposals(struct db *db, char **args)
{
	static const char *const rules[] = {
#define X(id, name, title, text) name,
		PROPOSAL_RULES(X)
#undef X
	};

	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (strcmp(rules[i], args[0]) == 0)
			return proposal_rule_set(db, (enum proposal_rule)i);
	return err_set(ERR_INVALID, "no such rule");
}

static int command_proposal(struct db *db, char **args)
{
	struct uuid id;
	json_t *o;
	int rc = uuid_parse(args[0], &id);

	if (rc == 0)
		rc = proposal_get(db, &id, &o);
	if (rc == 0)
		show(o);
	return rc;
}

/* DEVICE KIND */
static int command_rotate(struct db *db, char **args)
{
	struct uuid id;
	int rc = uuid_parse(args[0], &id);

	return rc < 0 ? rc : rotation_want(db, &id, strcmp(args[1], "volume-key") == 0 ? ROTATION_VOLUME_KEY : ROTATION_DEVICE_KEY);
}

/* DEVICE */
static int command_rotations(struct db *db, char **args)
{
	struct uuid id;
	json_t *rows;
	int rc = uuid_parse(args[0], &id);

	if (rc == 0)
		rc = rotation_list(db, &id, &rows);
	if (rc == 0)
		show(rows);
	return rc;
}

/* DEVICE OVERWRITE */
static int command_accept(struct db *db, char **args)
{
	struct uuid id;
	int rc = uuid_parse(args[0], &id);

	return rc < 0 ? rc : proposal_accept(db, &id, atoi(args[1]));
}

static int command_reject(struct db *db, char **args)
{
	struct uuid id;
	int rc = uuid_parse(args[0], &id);

	return rc < 0 ? rc : proposal_reject(db, &id);
}

/* DEVICE FILESYSTEM MOUNT-POINT ACCESS MODE BITS */
static int command_configure(struct db *db, char **args)
{
	struct device_configuration c = { "linux", args[1], args[2], args[3], "aes", args[4], "sha256", atol(args[5]),
		NULL };
	struct uuid id;
	int rc = uuid_parse(args[0], &id);

	return rc == 0 ? device_configure(db, &id, &c) : rc;
}

/* ID MOUNT-POINT MEMBER... */
static int command_raid(struct db *db, char **args)
{
	struct device_configuration c = { "linux", "ext4", args[1], "read-write", "aes", "xts-plain64", "sha256", 256, NULL };
	struct uuid members[RAID_MEMBERS_MAX], id;
	struct raid_definition d = { args[0], "", members, 0, &c };
	int rc = 0;

	for (char **member = args + 2; rc == 0 && *member && d.count < RAID_MEMBERS_MAX; member++)
		rc = uuid_parse(*member, &members[d.count++]);
	return rc == 0 ? raid_create(db, &d, &id) : rc;
}

/* DEVICE OVERWRITE */
static int command_encrypt(struct db *db, char **args)
{
	struct uuid id;
	int rc = uuid_parse(args[0], &id);

	return rc == 0 ? device_encrypt(db, &id, atoi(args[1])) : rc;
}

static int command_unconfigure(struct db *db, char **args)
{
	struct uuid id;
	int rc = uuid_parse(args[0], &id);

	return rc == 0 ? device_unconfigure(db, &id) : rc;
}

/* DEVICE: whose volume is on it, and that in words. */
static int command_origin(struct db *db, char **args)
{
	struct buf text = BUF_INIT;
	struct uuid id;
	json_t *o = NULL;
	int rc = uuid_parse(args[0], &id);

	if (rc == 0)
		rc = device_origin(db, &id, &o);
	if (rc == 0) {
		device_origin_say(o, &text);
		show(json_pack("{s:o, s:s}", "origin", o, "words", buf_str(&text)));
	}
	buf_free(&text);
	return rc;
}

/* DEVICE "hand-over", "decrypt" or "", DESTROYS */
static int command_release(struct db *db, char **args)
{
	struct uuid id;
	int rc = uuid_parse(args[0], &id);

	return rc == 0 ? device_allow_release(db, &id, args[1], atoi(args[2])) : rc;
}

/* DEVICE: [{event}] of its log */
static int command_log(struct db *db, char **args)
{
	struct uuid id;
	json_t *rows = NULL;
	int rc = uuid_parse(args[0], &id);

	if (rc == 0)
		rc = db_get_rows(db, &rows, "select event from audit_entry where object_id = $1 order by seq", DB_ARGS(db_uuid_arg(&id)));
	if (rc == 0)
		show(rows);
	return rc;
}

static int command_requests(struct db *db, char **args)
{
	struct list_query query = { .limit = LIST_LIMIT_MAX };
	json_t *page;
	int rc = request_history(db, &query, &page);

	if (rc == 0)
		show(page);
	return rc;
}

static int command_request(struct db *db, char **args)
{
	struct uuid id;
	json_t *o;
	int rc = uuid_parse(args[0], &id);

	if (rc == 0)
		rc = request_get(db, &id, &o);
	if (rc == 0)
		show(o);
	return rc;
}

/* REQUEST */
static int command_approve(struct db *db, char **args)
{
	struct uuid id;
	int rc = uuid_parse(args[0], &id);

	return rc == 0 ? request_decide(db, &id, &(struct request_decision){ REQUEST_EVENT_APPROVE, "by the test", NULL, NULL }, NULL) : rc;
}

static int command_deny(struct db *db, char **args)
{
	struct uuid id;
	int rc = uuid_parse(args[0], &id);

	return rc == 0 ? request_decide(db, &id, &(struct request_decision){ REQUEST_EVENT_DENY, "by the test", NULL, NULL }, NULL) : rc;
}

static int command_revoke(struct db *db, char **args)
{
	struct uuid id;
	int rc = uuid_parse(args[0], &id);

	return rc == 0 ? request_revoke(db, &id, "by the test") : rc;
}

/* INSTANCE KIND DEVICE-OR-EMPTY ARGUMENT */
static int command_order(struct db *db, char **args)
{
	struct uuid instance, device;
	int rc = uuid_parse(args[0], &instance);

	if (rc == 0 && *args[2])
		rc = uuid_parse(args[2], &device);
	return rc == 0 ? order_add_for_instance(db, &instance, args[1], *args[2] ? &device : NULL, args[3]) : rc;
}

static const struct {
	const char *name;
	int args;
	int (*run)(struct db *db, char **args);
} commands[] = {
	{ "devices", 0, command_devices },
	{ "device", 1, command_device },
	{ "instance", 1, command_instance },
	{ "configure", 6, command_configure },
	{ "raid", -1, command_raid },
	{ "encrypt", 2, command_encrypt },
	{ "unconfigure", 1, command_unconfigure },
	{ "origin", 1, command_origin },
	{ "proposals", 1, command_proposals },
	{ "proposal", 1, command_proposal },
	{ "accept", 2, command_accept },
	{ "rotate", 2, command_rotate },
	{ "rotations", 1, command_rotations },
	{ "reject", 1, command_reject },
	{ "release", 3, command_release },
	{ "log", 1, command_log },
	{ "requests", 0, command_requests },
	{ "request", 1, command_request },
	{ "approve", 1, command_approve },
	{ "deny", 1, command_deny },
	{ "revoke", 1, command_revoke },
	{ "order", 4, command_order },
};

static struct db *db;
static struct uuid account;
static struct db_actor actor = { .kind = DB_ACTOR_USER, .name = "test@example.test" };

/* With a sanitizer: whether something was lost by now. As it takes long, only the first time that a command has run. */
static int leaks(size_t command)
{
#ifdef __SANITIZE_ADDRESS__
	static int looked[ARRAY_LEN(commands)];

	if (!looked[command]++)
		return __lsan_do_recoverable_leak_check();
#endif
	return 0;
}

static int run(size_t command, char **args)
{
	int rc = db_begin(db, &account, &actor);

	return rc < 0 ? rc : db_end(db, commands[command].run(db, args));
}

/* WORDS: a command and its COUNT arguments, NULL behind them. */
static int look_up(char **words, int count)
{
	for (size_t i = 0; words[0] && i < ARRAY_LEN(commands); i++) {
		if (strcmp(words[0], commands[i].name) != 0 || (commands[i].args >= 0 && count != commands[i].args))
			continue;
		int rc = run(i, words + 1);

		if (leaks(i))
			return err_set(ERR_INTERNAL, "%s has lost memory", words[0]);
		return rc;
	}
	return err_set(ERR_INVALID, "no such command, or another number of arguments");
}

static int answer(const char *line)
{
	json_t *asked = json_loads(line, 0, NULL), *word;
	char *words[ARGS_MAX + 2] = { NULL };
	size_t i;
	int rc;

	if (!json_is_array(asked) || json_array_size(asked) > ARGS_MAX + 1)
		return err_set(ERR_INVALID, "no array of words");
	json_array_foreach (asked, i, word)
		words[i] = mem_strdup(json_string_value(word));
	rc = look_up(words, (int)i - 1);
	while (i-- > 0)
		free(words[i]);
	json_decref(asked);
	return rc;
}

int main(int argc, char **argv)
{
	const char *user = getenv("CONSOLE_USER");      /* the database knows who may approve */
	char *line = NULL;
	size_t room = 0;

	actor.id = uuid_new();
	if (argc != 3 || uuid_parse(argv[2], &account) < 0 || (user && uuid_parse(user, &actor.id) < 0)) {
		fputs("usage: console_tool CONNINFO ACCOUNT\n", stderr);
		return 2;
	}
	db = db_new(argv[1]);
	while (getline(&line, &room, stdin) > 0) {
		int rc = answer(line);

		if (rc < 0)
			printf("%s %s\n", err_name(rc), err_text());
		else
			puts("done");
		fflush(stdout);
	}
	free(line);
	db_free(db);
	return 0;
}
