/* conf.c - reading the guest's configuration file. */
#include "agent/common/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/common/container.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "base/word.h"
#include "proto/message.h"

#define FILE_MAX 65536
#define VALUE_MAX 1400

enum kind { TEXT, PATH, FLAG, NUMBER, LEVEL, ACCOUNT, LIST, MOUNT, SETTING, CONTAINER };

static const struct setting {
	const char *name;
	enum kind kind;
	const char *standard;
	long least, most;
	const char *help;
} settings[AGENT_SETTING_COUNT] = {
#define X(id, name, kind, standard, least, most, help) [AGENT_##id] = { name, kind, standard, least, most, help },
	AGENT_SETTINGS(X)
#undef X
};

static int check_number(const struct setting *s, const char *value)
{
	char *end;
	long n = strtol(value, &end, 10);

	if (end == value || *end || n < s->least || n > s->most)
		return err_set(ERR_INVALID, "%s: a whole number from %ld to %ld is needed", s->name, s->least, s->most);
	return 0;
}

/* Splits "id,access,point" in place of a copy; the id may not hold commas, the mount point may. */
static int split_mount(const char *item, char *id, int *access, char *point)
{
	char word[16];
	int at = 0;

	*access = PROTO_ACCESS_UNKNOWN;
	if (sscanf(item, " %127[^,], %15[a-z-] , %n", id, word, &at) != 2 || at == 0)
		return err_set(ERR_INVALID, "mount: DEVICE-ID,ACCESS,MOUNT-POINT is needed");
	for (int i = 1; proto_access_names[i]; i++)
		if (strcmp(word, proto_access_names[i]) == 0)
			*access = i;
	if (*access == PROTO_ACCESS_UNKNOWN)
		return err_set(ERR_INVALID, "mount: access is \"read-only\" or \"read-write\", not \"%s\"", word);
	if (item[at] != '/' || strlen(item + at) > PROTO_PATH_MAX)
		return err_set(ERR_INVALID, "mount: the mount point begins with \"/\"");
	snprintf(point, PROTO_PATH_MAX + 1, "%s", item + at);
	return 0;
}

static int check(const struct setting *s, const char *value)
{
	char id[PROTO_ID_MAX + 1], point[PROTO_PATH_MAX + 1];
	struct container container;
	enum log_level level;
	struct uuid account;
	int access;

	if (strlen(value) > VALUE_MAX)
		return err_set(ERR_TOO_LARGE, "%s: longer than %d bytes", s->name, VALUE_MAX);
	/* Much of it is sent as JSON. */
	if (!json_is_text(value, strlen(value)))
		return err_set(ERR_INVALID, "%s: its value is no text (UTF-8)", s->name);
	switch (s->kind) {
	case TEXT:
		return 0;
	case PATH:
	case LIST:
		return *value == '/' || (*value == '\0' && s->kind == PATH) ? 0
			: err_set(ERR_INVALID, "%s: a path from / is needed", s->name);
	case CONTAINER:
		return *value == '\0' ? 0 : container_parse(value, &container);
	case FLAG:
		return strcmp(value, "yes") == 0 || strcmp(value, "no") == 0 ? 0
			: err_set(ERR_INVALID, "%s: yes or no is needed", s->name);
	case NUMBER:
		return check_number(s, value);
	case LEVEL:
		return log_level_parse(value, &level) == 0 ? 0
			: err_set(ERR_INVALID, "%s: debug, info, warning or error is needed", s->name);
	case ACCOUNT:
		return *value == '\0' || uuid_parse(value, &account) == 0 ? 0
			: err_set(ERR_INVALID, "%s: an account ID like 0190a5c4-7d10-7abc-8123-456789abcdef is needed", s->name);
	case SETTING:
		return strchr(value, '=') > value ? 0 : err_set(ERR_INVALID, "%s: NAME=VALUE is needed", s->name);
	case MOUNT:
		return split_mount(value, id, &access, point);
	}
	return err_set(ERR_INTERNAL, "%s: no such kind of setting", s->name);
}

static int find(const char *name)
{
	for (int i = 0; i < AGENT_SETTING_COUNT; i++)
		if (strcmp(settings[i].name, name) == 0)
			return i;
	return err_set(ERR_INVALID, "no setting is called \"%s\"", name);
}

static int is_list(int setting)
{
	return settings[setting].kind == LIST || settings[setting].kind == MOUNT || settings[setting].kind == SETTING
		|| settings[setting].kind == CONTAINER;
}

/* Puts VALUE in the place of what SLOT holds, or behind it. */
static int put(char **slot, int setting, const char *value, int append)
{
	char *joined;
	int rc = check(&settings[setting], value);

	if (rc < 0)
		return rc;
	joined = append && *slot ? mem_printf("%s\n%s", *slot, value) : mem_strdup(value);
	free(*slot);
	*slot = joined;
	return 0;
}

static int read_line(char *line, struct agent_conf *c)
{
	char *equals = strchr(line, '=');
	int setting;

	if (equals == NULL)
		return err_set(ERR_INVALID, "\"name = value\" is needed");
	*equals = '\0';
	setting = find(word_trim(line));
	if (setting < 0)
		return setting;
	if (c->values[setting] && !is_list(setting))
		return err_set(ERR_INVALID, "%s is set twice", settings[setting].name);
	return put(&c->values[setting], setting, word_trim(equals + 1), 1);
}

static int read_lines(char *text, struct agent_conf *c)
{
	int number = 0, rc = 0;
	char *line;

	while (rc == 0 && (line = strsep(&text, "\n")) != NULL) {
		number++;
		line = word_trim(line);
		if (*line == '\0' || *line == '#')
			continue;
		rc = read_line(line, c);
		if (rc < 0)
			err_wrap(rc, "line %d", number);
	}
	return rc;
}

static void fill_defaults(struct agent_conf *c)
{
	for (int i = 0; i < AGENT_SETTING_COUNT; i++)
		if (c->values[i] == NULL)
			c->values[i] = mem_strdup(settings[i].standard);
}

void agent_conf_init(struct agent_conf *c)
{
	*c = (struct agent_conf){ { NULL } };
	fill_defaults(c);
}

int agent_conf_load(const char *path, struct agent_conf *out)
{
	struct agent_conf c = { { NULL } };
	struct buf text = BUF_INIT;
	/* It names programs that root runs. */
	int rc = file_trusted(path, S_IFREG);

	if (rc == ERR_FORBIDDEN)
		return err_wrap(ERR_INVALID, "it says what root runs, so it has to be root's alone to write (chown root, chmod go-w)");
	rc = file_read(path, FILE_MAX, &text);
	if (rc == 0 && text.data)
		rc = read_lines(text.data, &c);
	buf_free(&text);
	if (rc < 0) {
		agent_conf_free(&c);
		return err_wrap(rc, "%s", path);
	}
	fill_defaults(&c);
	*out = c;
	return 0;
}

int agent_conf_set(struct agent_conf *c, const char *name, const char *value)
{
	int setting = find(name);

	return setting < 0 ? setting : put(&c->values[setting], setting, value, 0);
}

void agent_conf_free(struct agent_conf *c)
{
	for (int i = 0; i < AGENT_SETTING_COUNT; i++) {
		free(c->values[i]);
		c->values[i] = NULL;
	}
}

const char *agent_conf_text(const struct agent_conf *c, enum agent_setting s)
{
	return c->values[s];
}

long agent_conf_number(const struct agent_conf *c, enum agent_setting s)
{
	return strtol(c->values[s], NULL, 10);
}

int agent_conf_flag(const struct agent_conf *c, enum agent_setting s)
{
	return strcmp(c->values[s], "yes") == 0;
}

int agent_conf_item(const struct agent_conf *c, enum agent_setting s, size_t *cursor, char *out, size_t size)
{
	const char *at = c->values[s] + *cursor;
	size_t len = strcspn(at, "\n");

	if (len == 0)
		return 0;
	snprintf(out, size, "%.*s", (int)len, at);
	*cursor += len + (at[len] == '\n');
	return 1;
}

int agent_conf_next_mount(const struct agent_conf *c, size_t *cursor, char *id, int *access, char *point)
{
	char item[VALUE_MAX + 1];

	while (agent_conf_item(c, AGENT_MOUNT, cursor, item, sizeof item))
		if (split_mount(item, id, access, point) == 0)
			return 1;
	return 0;
}

void agent_conf_help(struct buf *out)
{
	for (int i = 0; i < AGENT_SETTING_COUNT; i++) {
		buf_printf(out, "# %s\n", settings[i].help);
		buf_printf(out, "#%s = %s\n\n", settings[i].name, settings[i].standard);
	}
}
