/* mountunit.c - a drop-in for the mount's unit, gone after the boot. */
#include "agent/guest/mountunit.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define SUFFIX ".mount"
#define FILE_NAME "keyward.conf"

/* Units are stopped in the opposite order of their start. */
static const char content[] = "[Unit]\nBefore=keyward-agent.service\n";

static int is_plain(char c, int first)
{
	return isalnum((unsigned char)c) || c == ':' || c == '_' || (c == '.' && !first);
}

int mountunit_name(const char *point, char out[static MOUNTUNIT_NAME_MAX + 1])
{
	char name[MOUNTUNIT_NAME_MAX + 1];
	size_t n = 0;

	for (const char *at = point; *at; at++) {
		if (n + 4 + strlen(SUFFIX) > MOUNTUNIT_NAME_MAX)
			return err_set(ERR_TOO_LARGE, "%s: too long for the name of a unit", point);
		if (*at != '/')
			n += (size_t)snprintf(name + n, 5, is_plain(*at, n == 0) ? "%c" : "\\x%02x", (unsigned char)*at);
		else if (n > 0 && at[1] != '/' && at[1] != '\0')
			name[n++] = '-';
	}
	name[n] = '\0';
	snprintf(out, MOUNTUNIT_NAME_MAX + 1, "%s" SUFFIX, n ? name : "-");
	return 0;
}

static int write_drop_in(const char *point)
{
	char unit[MOUNTUNIT_NAME_MAX + 1];
	int rc = mountunit_name(point, unit);
	char *dir, *path;

	if (rc < 0)
		return rc;
	dir = mem_printf("%s/%s.d", MOUNTUNIT_DIR, unit);
	path = mem_printf("%s/" FILE_NAME, dir);
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		rc = err_set(ERR_IO, "%s: %s", dir, strerror(errno));
	else
		rc = file_write(path, content, sizeof content - 1, 0644);
	free(dir);
	free(path);
	return rc;
}

void mountunit_order(const char *point)
{
	if (access(MOUNTUNIT_DIR, F_OK) == 0 && write_drop_in(point) < 0)
		log_warning("systemd may unmount a volume at shutdown before the agent does", "mounted", point, "reason", err_text(), NULL);
}
