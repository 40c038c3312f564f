/* packages.c - installed packages, from the package manager's own list: dpkg and apk write text, rpm is asked. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/integrity/family.h"
#include "agent/volume/command.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

#define DPKG "/var/lib/dpkg/status"
#define APK "/lib/apk/db/installed"
#define RPM "/var/lib/rpm"
#define PACKAGES_MAX 20000
#define TEXT_MAX 255
#define LINES_MAX 5000000
#define RPM_MS 10000
#define RPM_MAX (4 << 20)

/* What begins the lines that matter; STATE NULL: whatever is listed is installed. */
struct format {
	const char *name, *version, *state;
};

struct stanza {
	char name[TEXT_MAX + 1], version[TEXT_MAX + 1], state[TEXT_MAX + 1];
};

static int add(json_t *packages, struct stanza *s)
{
	if (json_object_size(packages) >= PACKAGES_MAX)
		return err_set(ERR_TOO_LARGE, "more than %d packages", PACKAGES_MAX);
	fact_clean(s->name);
	fact_clean(s->version);
	if (s->name[0])
		json_object_set_new(packages, s->name, json_string(s->version));
	return 0;
}

/* dpkg: "install ok installed"; a package of which only configuration is left is not there. */
static int is_installed(const struct stanza *s)
{
	const char *last = strrchr(s->state, ' ');

	return last == NULL || (strcmp(last, " not-installed") != 0 && strcmp(last, " config-files") != 0);
}

static int end_stanza(struct stanza *s, json_t *packages)
{
	int rc = s->name[0] && is_installed(s) ? add(packages, s) : 0;

	*s = (struct stanza){ .name = "" };
	return rc;
}

static void take(const char *line, const char *key, char out[static TEXT_MAX + 1])
{
	size_t len = key ? strlen(key) : 0;

	if (len && strncmp(line, key, len) == 0)
		snprintf(out, TEXT_MAX + 1, "%.*s", (int)strcspn(line + len, "\n"), line + len);
}

/* In bounded memory whatever the lines are like: what does not fit into one piece cannot begin a line that matters. */
static int read_text(FILE *f, const struct format *format, json_t *packages)
{
	struct stanza s = { .name = "" };
	char piece[1024];
	int rc = 0, begins = 1;

	for (int n = 0; rc == 0 && fgets(piece, sizeof piece, f); n++) {
		if (n > LINES_MAX)
			return err_set(ERR_TOO_LARGE, "more than %d lines", LINES_MAX);
		if (begins && piece[0] == '\n')
			rc = end_stanza(&s, packages);
		if (begins) {
			take(piece, format->name, s.name);
			take(piece, format->version, s.version);
			take(piece, format->state, s.state);
		}
		begins = strchr(piece, '\n') != NULL;
	}
	if (rc == 0)
		rc = end_stanza(&s, packages);
	return rc == 0 && ferror(f) ? err_set(ERR_IO, "%s", strerror(errno)) : rc;
}

static int read_file(const char *path, const struct format *format, json_t *packages)
{
	FILE *f = fopen(path, "re");
	int rc;

	if (f == NULL)
		return err_set(errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, strerror(errno));
	rc = read_text(f, format, packages);
	fclose(f);
	return rc < 0 ? err_wrap(rc, "%s", path) : 0;
}

int packages_read_dpkg(const char *path, json_t *packages)
{
	static const struct format dpkg = { "Package: ", "Version: ", "Status: " };

	return read_file(path, &dpkg, packages);
}

int packages_read_apk(const char *path, json_t *packages)
{
	static const struct format apk = { "P:", "V:", NULL };

	return read_file(path, &apk, packages);
}

int packages_take_rpm(char *text, json_t *packages)
{
	char *line;
	int rc = 0;

	while (rc == 0 && (line = strsep(&text, "\n")) != NULL) {
		size_t name = strcspn(line, "\t");
		struct stanza s = { .name = "" };

		if (line[name] == '\0')
			continue;
		snprintf(s.name, sizeof s.name, "%.*s", (int)name, line);
		snprintf(s.version, sizeof s.version, "%s", line + name + 1);
		rc = add(packages, &s);
	}
	return rc;
}

static int ask_rpm(json_t *packages)
{
	char *argv[] = { (char[]){ "rpm" }, (char[]){ "-qa" }, (char[]){ "--qf" },
		(char[]){ "%{NAME}\\t%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\\n" }, NULL };
	struct buf out = BUF_INIT;
	int rc = command_output(argv, RPM_MS, RPM_MAX, &out);

	if (rc > 0)
		rc = err_set(ERR_IO, "rpm ended with status %d", rc);
	if (rc == 0 && out.data)
		rc = packages_take_rpm(out.data, packages);
	buf_free(&out);
	return rc;
}

json_t *fact_packages(struct facts_run *run)
{
	json_t *packages = json_object();
	int rc = packages_read_dpkg(DPKG, packages);

	if (rc == ERR_NOT_FOUND)
		rc = packages_read_apk(APK, packages);
	if (rc == ERR_NOT_FOUND && access(RPM, F_OK) == 0)
		rc = ask_rpm(packages);
	if (rc < 0 && rc != ERR_NOT_FOUND)
		log_warning("the installed packages cannot be told", "reason", err_text(), NULL);
	return fact_if(rc == 0, packages);
}
