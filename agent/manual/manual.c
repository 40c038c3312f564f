/* manual.c - run while building: turns the tables of options, settings, exit codes and batch keys into manual pages and completion.
 *
 *     manual page TEMPLATE        TEMPLATE with its lines @...@ replaced
 *     manual bash | zsh           completion for the programs of the guest
 *     manual names PROGRAM        its options, one a line: for tests
 *     manual table PROGRAM        the same as in docs/agent.md, which a test holds to it */
#include <stdio.h>
#include <string.h>

#include "agent/common/host.h"
#include "agent/daemon/daemon.h"
#include "agent/keytool/keytool.h"
#include "agent/tool/batch.h"
#include "agent/tool/tool.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

#define TEMPLATE_MAX 65536

static const struct option_table *const programs[] = { &tool_table, &daemon_table, &keytool_table };

static const struct option_table *program(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		if (strcmp(programs[i]->program, name) == 0)
			return programs[i];
	fatal("no program is called %s", name);
}

/* TEXT for mdoc: nothing in it is a request or an escape. */
static void escape(const char *text)
{
	if (*text == '.' || *text == '\'')
		printf("\\&");
	for (; *text; text++) {
		if (*text == '\\')
			printf("\\e");
		else if (*text == '-')
			printf("\\-");
		else
			putchar(*text);
	}
	putchar('\n');
}

static void option_item(const struct option_row *row)
{
	printf(".It ");
	if (row->letter)
		printf("Fl %c , ", row->letter);
	printf("Fl \\-%s", row->name);
	if (row->argument)
		printf(" Ar %s", row->argument);
	putchar('\n');
	escape(row->help);
	if (row->kind == OPTION_NUMBER)
		printf("From %ld to %ld.\n", row->least, row->most);
}

static void option_list(const char *name)
{
	const struct option_table *t = program(name);
	int open = 0;

	for (size_t i = 0; i < t->count; i++) {
		if (t->rows[i].kind == OPTION_GROUP) {
			if (open)
				printf(".El\n");
			printf(".Ss %s\n", t->rows[i].help);
			open = 0;
			continue;
		}
		if (!open)
			printf(".Bl -tag -width Ds\n");
		open = 1;
		option_item(&t->rows[i]);
	}
	if (open)
		printf(".El\n");
	for (size_t i = 0; i < t->rules_count; i++)
		printf("%s\n.Fl \\-%s\n%s\n.Fl \\-%s .\n", i ? ".br" : ".Pp", t->rules[i].name,
			t->rules[i].kind == OPTION_NEEDS ? "needs" : "cannot be given with", t->rules[i].other);
}

static void setting_item(const char *name, const char *standard, long least, long most, const char *help)
{
	printf(".It Cm %s\n", name);
	escape(help);
	if (most > least)
		printf("From %ld to %ld.\n", least, most);
	if (*standard) {
		printf("Default: ");
		escape(standard);
	}
}

static void exit_item(int number, const char *name, const char *text)
{
	printf(".It %d Pq %s\n", number, name);
	escape(text);
}

static void batch_item(const char *name, int needed, const char *standard, const char *text)
{
	printf(".It Cm %s\n", name);
	escape(text);
	if (needed)
		printf("Needed.\n");
	if (*standard) {
		printf("Default: ");
		escape(standard);
	}
}

static int replace(const char *line)
{
	static const char *const lists[] = { "@SETTINGS@", "@EXITS@", "@BATCH@" };
	size_t which = 0;
	char name[64];

	if (sscanf(line, "@OPTIONS %63[a-z-]@", name) == 1) {
		option_list(name);
		return 1;
	}
	while (which < ARRAY_LEN(lists) && strcmp(line, lists[which]) != 0)
		which++;
	if (which == ARRAY_LEN(lists))
		return 0;
	printf(".Bl -tag -width Ds\n");
	if (which == 0) {
#define X(id, name, kind, standard, least, most, help) setting_item(name, standard, least, most, help);
		AGENT_SETTINGS(X)
#undef X
	} else if (which == 1) {
#define X(id, number, name, text) exit_item(number, name, text);
		TOOL_EXITS(X)
#undef X
	} else {
#define X(name, needed, standard, text) batch_item(name, needed, standard, text);
		BATCH_KEYS(X)
#undef X
	}
	printf(".El\n");
	return 1;
}

static void page(const char *path)
{
	struct buf text = BUF_INIT;
	char *rest, *line;

	if (file_read(path, TEMPLATE_MAX, &text) < 0)
		fatal("%s", err_text());
	for (rest = text.data; rest && (line = strsep(&rest, "\n")) != NULL;) {
		if (!replace(line) && (*line || (rest && *rest)))
			puts(line);
	}
	buf_free(&text);
}

static void bash_function(const struct option_table *t)
{
	char name[64];
	size_t len = (size_t)snprintf(name, sizeof name, "%s", t->program);

	for (size_t i = 0; i < len; i++)
		if (name[i] == '-')
			name[i] = '_';
	printf("\n_%s() {\n\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n\tCOMPREPLY=()\n\tcase $before in\n",
		name);
	for (size_t i = 0; i < t->count; i++) {
		const struct option_row *r = &t->rows[i];

		if (r->argument == NULL)
			continue;
		printf("\t--%s", r->name);
		if (r->letter)
			printf(" | -%c", r->letter);
		if (r->values == NULL)
			printf(") return ;;\n");
		else if (strcmp(r->values, OPTION_FILES) == 0)
			printf(") _keyward_paths -f; return ;;\n");
		else if (strcmp(r->values, OPTION_FOLDERS) == 0)
			printf(") _keyward_paths -d; return ;;\n");
		else
			printf(") mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$word\"); return ;;\n", r->values);
	}
	printf("\tesac\n\tmapfile -t COMPREPLY < <(compgen -W '");
	for (size_t i = 0; i < t->count; i++)
		if (t->rows[i].kind != OPTION_GROUP)
			printf("--%s ", t->rows[i].name);
	printf("' -- \"$word\")\n}\ncomplete -F _%s %s\n", name, t->program);
}

static void bash(void)
{
	printf("# Completion for the programs of the guest, made from their tables of options.\n"
		"_keyward_paths() {\n\tcompopt -o filenames 2>/dev/null\n"
		"\tmapfile -t COMPREPLY < <(compgen \"$1\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n}\n");
	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		bash_function(programs[i]);
}

/* What zsh takes between brackets. */
static void zsh_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			printf("'\\''");
		else if (strchr("[]:\\", *text))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

static void zsh_row(const struct option_row *r)
{
	if (r->letter)
		printf("\t\t'(-%c --%s)'{-%c,--%s}'[", r->letter, r->name, r->letter, r->name);
	else
		printf("\t\t'--%s[", r->name);
	zsh_text(r->help);
	printf("]");
	if (r->argument) {
		printf(":%s:", r->argument);
		if (r->values && strcmp(r->values, OPTION_FILES) == 0)
			printf("_files");
		else if (r->values && strcmp(r->values, OPTION_FOLDERS) == 0)
			printf("_files -/");
		else if (r->values)
			printf("(%s)", r->values);
	}
	printf("' \\\n");
}

static void zsh(void)
{
	printf("#compdef keyward-config keyward-agent keyward-keytool\n# Made from their tables of options.\ncase $service in\n");
	for (size_t p = 0; p < ARRAY_LEN(programs); p++) {
		printf("%s)\n\t_arguments -s \\\n", programs[p]->program);
		for (size_t i = 0; i < programs[p]->count; i++)
			if (programs[p]->rows[i].kind != OPTION_GROUP)
				zsh_row(&programs[p]->rows[i]);
		printf("\t\t&& return\n\t;;\n");
	}
	printf("esac\n");
}

/* Markdown: what stands between bars has none. */
static void table(const struct option_table *t)
{
	printf("| option | |\n|---|---|\n");
	for (size_t i = 0; i < t->count; i++) {
		const struct option_row *r = &t->rows[i];

		if (r->kind == OPTION_GROUP) {
			printf("| **%s** | |\n", r->help);
			continue;
		}
		printf("| `");
		if (r->letter)
			printf("-%c ", r->letter);
		printf("--%s%s%s` | %s |\n", r->name, r->argument ? " " : "", r->argument ? r->argument : "", r->help);
	}
}

static void names(const struct option_table *t)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->rows[i].kind != OPTION_GROUP)
			printf("%c --%s\n", t->rows[i].letter ? t->rows[i].letter : '-', t->rows[i].name);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc == 3 && strcmp(what, "page") == 0)
		page(argv[2]);
	else if (argc == 3 && strcmp(what, "names") == 0)
		names(program(argv[2]));
	else if (argc == 3 && strcmp(what, "table") == 0)
		table(program(argv[2]));
	else if (strcmp(what, "bash") == 0)
		bash();
	else if (strcmp(what, "zsh") == 0)
		zsh();
	else
		fatal("usage: manual page TEMPLATE | bash | zsh | names PROGRAM | table PROGRAM");
	return fflush(stdout) == 0 ? 0 : 1;
}
