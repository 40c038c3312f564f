/* conf.c - reading the server's configuration file. */
#include "base/conf.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/word.h"

#define FILE_MAX 65536

static const struct {
	const char *name, *standard, *help;
} settings[CONF_COUNT] = {
#define X(id, name, standard, help) [CONF_##id] = { name, standard, help },
	CONF_SETTINGS(X)
#undef X
};

static int set(struct conf *c, const char *name, const char *value)
{
	for (int i = 0; i < CONF_COUNT; i++) {
		if (strcmp(settings[i].name, name) != 0)
			continue;
		if (c->values[i])
			return err_set(ERR_INVALID, "%s is set twice", name);
		c->values[i] = mem_strdup(value);
		return 0;
	}
	return err_set(ERR_INVALID, "no setting is called \"%s\"", name);
}

static int read_lines(char *text, struct conf *c)
{
	int number = 0, rc = 0;
	char *line;

	while (rc == 0 && (line = strsep(&text, "\n")) != NULL) {
		char *equals;

		number++;
		line = word_trim(line);
		if (*line == '\0' || *line == '#')
			continue;
		equals = strchr(line, '=');
		if (equals == NULL) {
			rc = err_set(ERR_INVALID, "\"name = value\" is needed");
		} else {
			*equals = '\0';
			rc = set(c, word_trim(line), word_trim(equals + 1));
		}
		if (rc < 0)
			err_wrap(rc, "line %d", number);
	}
	return rc;
}

static int fill_defaults(struct conf *c)
{
	for (int i = 0; i < CONF_COUNT; i++) {
		if (c->values[i] == NULL && settings[i].standard == NULL)
			return err_set(ERR_INVALID, "%s is not set (%s)", settings[i].name, settings[i].help);
		if (c->values[i] == NULL)
			c->values[i] = mem_strdup(settings[i].standard);
	}
	return 0;
}

int conf_load(const char *path, struct conf *out)
{
	struct conf c = { { NULL } };
	struct buf text = BUF_INIT;
	int rc = file_read(path, FILE_MAX, &text);

	if (rc == 0 && text.data)
		rc = read_lines(text.data, &c);
	if (rc == 0)
		rc = fill_defaults(&c);
	buf_free(&text);
	if (rc < 0) {
		conf_free(&c);
		return err_wrap(rc, "%s", path);
	}
	*out = c;
	return 0;
}

void conf_free(struct conf *c)
{
	for (int i = 0; i < CONF_COUNT; i++) {
		free(c->values[i]);
		c->values[i] = NULL;
	}
}

const char *conf_get(const struct conf *c, enum conf_setting s)
{
	return c->values[s];
}

int conf_int(const struct conf *c, enum conf_setting s, long least, long most, long *out)
{
	char *end;
	long n = strtol(c->values[s], &end, 10);

	if (*end || end == c->values[s] || n < least || n > most)
		return err_set(ERR_INVALID, "%s: a whole number from %ld to %ld is needed", settings[s].name, least, most);
	*out = n;
	return 0;
}

void conf_help(struct buf *out)
{
	for (int i = 0; i < CONF_COUNT; i++)
		buf_printf(out, "%-24s %s%s%s%s\n", settings[i].name, settings[i].help, settings[i].standard ? " [" : " (must be set)",
			settings[i].standard ? settings[i].standard : "", settings[i].standard ? "]" : "");
}
