/* test_policy_table.c - runs the tables of tests/policy (its README.md says how to read them), a test per block; and holds them to
 * the catalogue: no data type, operator or rule type without its cases. */
#include <dirent.h>
#include <jansson.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "policy/parts.h"
#include "render/words.h"

#include "check.h"

#define FOLDER SOURCE_ROOT "/tests/policy"
#define NOW "2026-11-21T12:00:00Z"
#define BLOCKS_MAX 400

enum outcome { SATISFIED, NOT, UNKNOWN, MALFORMED, REFUSED, SKIPPED, OUTCOMES };
static const char *const outcomes[] = { "satisfied", "not", "unknown", "malformed", "refused", "skipped" };
static const char *const statuses[] = { "passed", "failed", "unknown", "unknown", NULL, "skipped" };

struct block {
	char *name, *covers, *file;
	int line;
	struct rule_type type;       /* of operators_*.txt */
	json_t *rule;                /* of rules_*.txt, or the one condition for TYPE */
	char *words;
	char **cases;                /* lines */
	int *lines;
	size_t count;
	unsigned seen;               /* outcomes, as bits */
};

static struct block blocks[BLOCKS_MAX];
static size_t block_count;
static const struct block *at_block;
static int at_line;

static void wrong(const char *what, const char *got, const char *want)
{
	printf("    tests/policy/%s:%d: %s is \"%s\", not \"%s\"\n", at_block->file, at_line, what, got ? got : "(none)", want);
	check_failures++;
}

/* Reading */

static enum policy_data data_named(const char *name)
{
	for (int i = 0; i < DATA_COUNT; i++)
		if (strcmp(policy_data_name((enum policy_data)i), name) == 0)
			return (enum policy_data)i;
	fatal("no data type %s", name);
}

/* A rule type that the catalogue need not have: any data, of the fact "fact". */
static struct rule_type type_named(char *words)
{
	char *element = strchr(words, ' ');
	struct rule_type t = { .name = "test", .label = "Fact", .covers = "RUL-26", .group = "", .fact = "fact", .help = "" };

	if (element)
		*element++ = '\0';
	t.data = data_named(words);
	t.element = element ? data_named(element) : DATA_STRING;
	if (t.data == DATA_SUBJECT) {
		t.data = DATA_VERSION;
		t.subject = "Thing";
	}
	return t;
}

static char *trimmed(char *line)
{
	size_t n = strlen(line);

	while (n && (line[n - 1] == '\n' || line[n - 1] == ' ' || line[n - 1] == '\r'))
		line[--n] = '\0';
	return line;
}

static struct block *new_block(const char *file, int line, const char *stem, const char *name)
{
	struct block *b = &blocks[block_count++];
	int same = 1;

	if (block_count > BLOCKS_MAX)
		fatal("more than %d blocks", BLOCKS_MAX);
	*b = (struct block){ .file = mem_strdup(file), .line = line, .covers = mem_strdup("RUL-26") };
	b->name = mem_printf("%s:%s", stem, name);
	for (size_t i = 0; i + 1 < block_count; i++)
		same += strncmp(blocks[i].name, b->name, strlen(b->name)) == 0
			&& strchr("#", blocks[i].name[strlen(b->name)]) != NULL;
	if (same > 1) {
		free(b->name);
		b->name = mem_printf("%s:%s#%d", stem, name, same);
	}
	return b;
}

static void add_case(struct block *b, const char *text, int line)
{
	b->cases = mem_grow(b->cases, b->count + 1, sizeof *b->cases);
	b->lines = mem_grow(b->lines, b->count + 1, sizeof *b->lines);
	b->cases[b->count] = mem_strdup(text);
	b->lines[b->count++] = line;
}

static json_t *parse(const char *text, const char *file, int line)
{
	json_error_t e;
	json_t *j = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &e);

	if (j == NULL)
		fatal("tests/policy/%s:%d: %s", file, line, e.text);
	return j;
}

/* "equals 7": a condition. */
static json_t *condition_of(char *line, const char *file, int n)
{
	char *operand = strchr(line, ' ');
	json_t *c = json_object();

	if (operand)
		*operand++ = '\0';
	json_set_string(c, "operator", line);
	if (operand)
		json_object_set_new(c, "value", parse(operand, file, n));
	return c;
}

/* The first rule type in a rule or group: what the block is named after. */
static const char *type_in(const json_t *node)
{
	const char *const groups[] = { "all", "any", "not" };
	const char *found = json_string_value(json_object_get(node, "type"));

	if (json_is_array(node))
		return type_in(json_array_get(node, 0));
	for (int i = 0; i < 3 && found == NULL; i++)
		if (json_object_get(node, groups[i]))
			found = type_in(json_object_get(node, groups[i]));
	return found;
}

struct reading {
	const char *file;
	char stem[64];
	char *type, *covers, *rule;
	int rule_line;
	struct block *block;
};

static void end_rule(struct reading *r)
{
	json_t *rule;

	if (r->rule == NULL)
		return;
	rule = parse(r->rule, r->file, r->rule_line);
	r->block = new_block(r->file, r->rule_line, r->stem, type_in(rule) ? type_in(rule) : "?");
	r->block->rule = rule;
	free(r->rule);
	r->rule = NULL;
}

static void begin_operator(struct reading *r, char *line, int n)
{
	char *words = mem_strdup(r->type), *first = mem_printf("%.*s", (int)strcspn(line, " "), line);
	json_t *condition = condition_of(line, r->file, n);

	r->block = new_block(r->file, n, r->stem, first);
	r->block->type = type_named(words);
	if (r->block->type.subject)
		json_set_string(condition, "subject", "a");
	r->block->rule = condition;
	free(r->block->covers);
	r->block->covers = mem_strdup(r->covers);
	free(first);
	free(words);
}

static void read_line(struct reading *r, char *line, int n)
{
	if (*line == '\t' && r->rule) {
		char *more = mem_printf("%s %s", r->rule, line + 1);

		free(r->rule);
		r->rule = more;
		return;
	}
	end_rule(r);
	if (*line == '#' || *line == '\0') {
		return;
	} else if (strncmp(line, "  ", 2) == 0) {
		add_case(r->block, line + 2, n);
	} else if (strncmp(line, "rule ", 5) == 0) {
		r->rule = mem_strdup(line + 5);
		r->rule_line = n;
	} else if (strncmp(line, "type ", 5) == 0) {
		r->type = mem_strdup(line + 5);
	} else if (strncmp(line, "covers ", 7) == 0) {
		char **where = r->block && r->type == NULL ? &r->block->covers : &r->covers;

		free(*where);
		*where = mem_strdup(line + 7);
	} else if (strncmp(line, "words ", 6) == 0 && r->block) {
		r->block->words = mem_strdup(line + 6);
	} else if (r->type) {
		begin_operator(r, line, n);
	} else {
		fatal("tests/policy/%s:%d: what is this?", r->file, n);
	}
}

static void read_file(const char *name)
{
	struct reading r = { .file = name };
	char *path = mem_printf("%s/%s", FOLDER, name), line[4096];
	const char *stem = strchr(name, '_') + 1;
	FILE *f = fopen(path, "re");

	if (f == NULL)
		fatal("cannot read %s", path);
	snprintf(r.stem, sizeof r.stem, "%.*s", (int)strcspn(stem, "."), stem);
	for (int n = 1; fgets(line, sizeof line, f); n++)
		read_line(&r, trimmed(line), n);
	end_rule(&r);
	fclose(f);
	free(path);
	free(r.type);
	free(r.covers);
}

static int is_table(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 4 && strcmp(e->d_name + n - 4, ".txt") == 0 && strchr(e->d_name, '_');
}

static void read_all(void)
{
	struct dirent **names;
	int n = scandir(FOLDER, &names, is_table, alphasort);

	if (n <= 0)
		fatal("no tables in " FOLDER);
	for (int i = 0; i < n; i++) {
		read_file(names[i]->d_name);
		free(names[i]);
	}
	free(names);
}

/* Running */

static struct rules *compile(const struct block *b, const json_t *condition, json_t *faults)
{
	json_t *wrapped = b->type.fact ? json_pack("{s:[O]}", "conditions", condition) : json_pack("[O]", b->rule);
	struct rules *r = b->type.fact ? rules_compile_as(&b->type, wrapped, faults) : rules_compile(wrapped, "rules", faults);

	json_decref(wrapped);
	return r;
}

static void expect(const struct rules *r, const struct facts *f, clock_us now, enum outcome want, const char *reason)
{
	const struct policy p = { .on_match = POLICY_ACTION_APPROVE, .on_mismatch = POLICY_ACTION_APPROVE };
	json_t *rows = rules_explain(r, f, now), *row = json_array_get(rows, 0);
	const char *got = json_string_value(json_object_get(row, "status"));
	struct verdict v;
	char *why;

	if (got == NULL || strcmp(got, statuses[want]) != 0)
		wrong("status", got, statuses[want]);
	why = words_phrase_text(NULL, json_object_get(row, "reason"));
	if (reason && strcmp(why, reason) != 0)
		wrong("reason", why, reason);
	if ((want == NOT || want == UNKNOWN || want == MALFORMED || want == SKIPPED) && *why == '\0')
		wrong("reason", why, "some text");
	policy_decide(&p, r, f, now, &v);
	if (v.passed != (want == SATISFIED) || v.failed != (want == NOT || want == UNKNOWN || want == MALFORMED)
		|| v.unknown != (want == UNKNOWN || want == MALFORMED) || v.skipped != (want == SKIPPED))
		wrong("verdict", "another", statuses[want]);
	if ((v.unknown || v.skipped) && v.action != POLICY_ACTION_MANUAL)
		wrong("action", policy_action_name(v.action), "manual");
	free(why);
	json_decref(rows);
}

static void expect_refused(const struct block *b, const char *value, const char *reason)
{
	json_t *faults = json_array(), *condition = json_copy(b->rule);
	struct facts nothing = { .sound = 0 };
	struct rules *r;
	const char *text;

	json_object_del(condition, "value");
	if (strcmp(value, "missing") != 0)
		json_object_set_new(condition, "value", parse(value, b->file, at_line));
	r = compile(b, condition, faults);
	text = json_string_value(json_object_get(json_array_get(faults, 0), "text"));
	if (!rules_faulty(r) || text == NULL || (reason && strcmp(text, reason) != 0))
		wrong("fault", text, reason ? reason : "some text");
	text = json_string_value(json_object_get(json_array_get(faults, 0), "at"));
	if (text == NULL || strncmp(text, "rules/0/conditions/0/value", 26) != 0)
		wrong("place", text, "rules/0/conditions/0/value");
	rules_free(r);
	/* Where it was stored all the same, it is in doubt. */
	r = compile(b, condition, NULL);
	expect(r, &nothing, 0, UNKNOWN, NULL);
	rules_free(r);
	json_decref(condition);
	json_decref(faults);
}

/* The fact alone: of the agent. */
static json_t *facts_of_value(const char *value)
{
	json_t *doc = json_pack("{s:{s:s, s:{}}}", "agent", "at", NOW, "values");

	if (strcmp(value, "missing") != 0)
		json_object_set_new(json_object_get(json_object_get(doc, "agent"), "values"), "fact", parse(value, "?", at_line));
	return doc;
}

/* `agent {...} server {...} offset 3600 deep_security off now 2026-...` */
static json_t *facts_of_words(const char *words, clock_us *now)
{
	json_t *doc = json_object(), *server = json_pack("{s:{}}", "values");
	char key[32];

	json_object_set_new(doc, "server", server);
	while (sscanf(words, " %31s", key) == 1) {
		json_error_t e;
		json_t *values = NULL;
		int used = 0;
		char word[64];

		words = strstr(words, key) + strlen(key) + 1;
		if (*words == '{' && (values = json_loads(words, JSON_DISABLE_EOF_CHECK, &e))) {
			json_object_set_new(doc, key, json_pack("{s:s, s:o}", "at", NOW, "values", values));
			words += e.position;
			continue;
		}
		if (sscanf(words, "%63s%n", word, &used) != 1)
			fatal("tests/policy/%s:%d: nothing behind %s", at_block->file, at_line, key);
		words += used;
		if (strcmp(key, "offset") == 0)
			json_set_int(json_object_get(doc, "server"), "utc_offset_s", atoi(word));
		else if (strcmp(key, "now") == 0)
			clock_parse(word, now);
		else if (strcmp(word, "off") == 0)
			json_object_set_new(doc, key, json_pack("{s:b}", "off", 1));
		else
			fatal("tests/policy/%s:%d: %s?", at_block->file, at_line, key);
	}
	return doc;
}

static enum outcome read_outcome(const char *line, const char **rest)
{
	for (int i = 0; i < OUTCOMES; i++) {
		size_t n = strlen(outcomes[i]);

		if (strncmp(line, outcomes[i], n) == 0 && line[n] == ' ') {
			*rest = line + n + strspn(line + n, " ");
			return (enum outcome)i;
		}
	}
	fatal("tests/policy/%s:%d: no outcome", at_block->file, at_line);
}

static void run_case(const struct block *b, char *line)
{
	char *reason = strstr(line, "  -- ");
	const char *rest;
	enum outcome want = read_outcome(line, &rest);
	clock_us now;
	struct facts f;
	struct rules *r;
	json_t *doc;

	if (reason) {
		*reason = '\0';
		reason += 5;
	}
	clock_parse(NOW, &now);
	if (want == REFUSED) {
		expect_refused(b, rest, reason);
		return;
	}
	doc = b->type.fact ? facts_of_value(rest) : facts_of_words(rest, &now);
	if (facts_read(doc, &f) < 0)
		fatal("tests/policy/%s:%d: %s", b->file, at_line, err_text());
	r = compile(b, b->rule, NULL);
	expect(r, &f, now, want, reason);
	/* Knowing which sets are sound is only quicker. */
	f.sound = 0;
	expect(r, &f, now, want, reason);
	rules_free(r);
	json_decref(doc);
}

static void check_sound(const struct block *b)
{
	json_t *faults = json_array();
	struct rules *r = compile(b, b->rule, faults);
	json_t *words = b->words ? rule_words(b->rule) : NULL;
	char *text = words_phrase_text(NULL, words), *why = json_dumps(faults, JSON_COMPACT);

	if (rules_faulty(r))
		wrong("faults", why, "[]");
	if (b->words && strcmp(text, b->words) != 0)
		wrong("words", text, b->words);
	free(text);
	free(why);
	rules_free(r);
	json_decref(words);
	json_decref(faults);
}

static void run_block(const struct block *b)
{
	at_block = b;
	at_line = b->line;
	check_sound(b);
	if (b->count == 0)
		wrong("cases", "none", "some");
	for (size_t i = 0; i < b->count; i++) {
		at_line = b->lines[i];
		run_case(b, b->cases[i]);
	}
}

/* The tables against the catalogue */

static void note_outcomes(void)
{
	for (size_t i = 0; i < block_count; i++) {
		at_block = &blocks[i];
		for (size_t n = 0; n < blocks[i].count; n++) {
			const char *rest;

			at_line = blocks[i].lines[n];
			blocks[i].seen |= 1u << read_outcome(blocks[i].cases[n], &rest);
		}
	}
}

static unsigned seen_of(const struct operator_row *row)
{
	unsigned seen = 0;

	for (size_t i = 0; i < block_count; i++) {
		const struct rule_type *t = &blocks[i].type;
		enum policy_data data = t->subject ? DATA_SUBJECT : t->data;

		if (t->fact && data == row->data
			&& strcmp(json_string_value(json_object_get(blocks[i].rule, "operator")), policy_operator_name(row->op)) == 0)
			seen |= blocks[i].seen;
	}
	return seen;
}

static void every_operator_of_every_data_type(void)
{
	size_t count;
	const struct operator_row *rows = policy_operators(&count);

	note_outcomes();
	for (size_t i = 0; i < count; i++) {
		for (int o = SATISFIED; o <= REFUSED; o++) {
			if (seen_of(&rows[i]) & 1u << o)
				continue;
			printf("    no case \"%s\" for %s of %s\n", outcomes[o], policy_operator_name(rows[i].op), policy_data_name(rows[i].data));
			check_failures++;
		}
	}
}

static int covers(const char *list, const char *line)
{
	const char *found = strstr(list, line);

	return found && !(found[strlen(line)] >= '0' && found[strlen(line)] <= '9');
}

static void check_type(const struct rule_type *t)
{
	unsigned want = t->flags & RULE_TYPE_RESERVED ? 1u << UNKNOWN : 1u << SATISFIED | 1u << NOT | 1u << UNKNOWN, seen = 0;
	int covered = 0;

	for (size_t i = 0; i < block_count; i++) {
		if (blocks[i].type.fact || strcmp(type_in(blocks[i].rule), t->name) != 0)
			continue;
		seen |= blocks[i].seen;
		for (const char *line = t->covers; line; line = strchr(line, ' ') ? strchr(line, ' ') + 1 : NULL) {
			char *one = mem_printf("%.*s", (int)strcspn(line, ","), line);

			covered |= covers(blocks[i].covers, one);
			free(one);
		}
	}
	if ((seen & want) == want && covered)
		return;
	printf("    %s: %s\n", t->name, covered ? "satisfied, not and unknown are not all there" : "no block covers its line");
	check_failures++;
}

static void every_rule_type(void)
{
	size_t count;
	const struct rule_type *types = rule_types(&count);

	note_outcomes();
	for (size_t i = 0; i < count; i++)
		check_type(&types[i]);
	for (int n = 1; n <= 23; n++) {
		char line[16];
		int there = 0;

		snprintf(line, sizeof line, "RUL-%d", n);
		for (size_t i = 0; i < count; i++)
			there |= covers(types[i].covers, line);
		CHECK(there);
	}
}

/* The runner's side */

static const struct {
	const char *name, *covers;
	void (*run)(void);
} own[] = {
	{ "every_operator_of_every_data_type", "RUL-24,RUL-26", every_operator_of_every_data_type },
	{ "every_rule_type", "RUL-1,RUL-26", every_rule_type },
};

static int wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return 1;
	return argc < 2;
}

static int result(const char *name)
{
	int failed = check_failures != 0;

	printf("%s %s\n", failed ? "FAIL" : "ok", name);
	check_failures = 0;
	return failed;
}

static void free_all(void)
{
	for (size_t i = 0; i < block_count; i++) {
		struct block *b = &blocks[i];

		for (size_t n = 0; n < b->count; n++)
			free(b->cases[n]);
		free(b->cases);
		free(b->lines);
		free(b->name);
		free(b->covers);
		free(b->file);
		free(b->words);
		json_decref(b->rule);
	}
}

int main(int argc, char **argv)
{
	int failed = 0, list = argc == 2 && strcmp(argv[1], "--list") == 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	read_all();
	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		if (list)
			printf("%s %s\n", own[i].name, own[i].covers);
		else if (wanted(own[i].name, argc, argv)) {
			own[i].run();
			failed += result(own[i].name);
		}
	}
	for (size_t i = 0; i < block_count; i++) {
		if (list)
			printf("%s %s\n", blocks[i].name, blocks[i].covers);
		else if (wanted(blocks[i].name, argc, argv)) {
			run_block(&blocks[i]);
			failed += result(blocks[i].name);
		}
	}
	free_all();
	return failed != 0;
}
