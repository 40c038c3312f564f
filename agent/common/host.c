/* host.c - uname, os-release, /proc/uptime. */
#include "agent/common/host.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

#define RELEASE_MAX 65536
#define STAT_MAX (1 << 20)

void host_read_line(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);
	char *start = out;

	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	while (*start && isspace((unsigned char)*start))
		start++;
	memmove(out, start, strlen(start) + 1);
	for (size_t len = strlen(out); len > 0 && isspace((unsigned char)out[len - 1]); len--)
		out[len - 1] = '\0';
}

static void unquote(const char *value, char *out, size_t size)
{
	size_t n = 0;

	for (; *value && n + 1 < size; value++)
		if (*value != '"' && *value != '\'')
			out[n++] = *value;
	out[n] = '\0';
}

void host_release(const char *name, char *out, size_t size)
{
	struct buf text = BUF_INIT;
	char *rest, *line;

	out[0] = '\0';
	if (file_read("/etc/os-release", RELEASE_MAX, &text) < 0)
		file_read("/usr/lib/os-release", RELEASE_MAX, &text);
	rest = text.data;
	while (rest && (line = strsep(&rest, "\n")) != NULL) {
		size_t len = strlen(name);

		if (strncmp(line, name, len) == 0 && line[len] == '=')
			unquote(line + len + 1, out, size);
	}
	buf_free(&text);
}

void host_describe(struct proto_host *out)
{
	struct utsname u;

	memset(out, 0, sizeof *out);
	if (uname(&u) == 0) {
		snprintf(out->name, sizeof out->name, "%s", u.nodename);
		snprintf(out->kernel, sizeof out->kernel, "%s", u.release);
		snprintf(out->arch, sizeof out->arch, "%s", u.machine);
	}
	snprintf(out->system, sizeof out->system, "linux");
	host_release("ID", out->distribution, sizeof out->distribution);
	host_release("VERSION_ID", out->version, sizeof out->version);
	snprintf(out->agent_version, sizeof out->agent_version, HOST_AGENT_VERSION);
}

int64_t host_uptime(void)
{
	struct timespec t;

	return clock_gettime(CLOCK_BOOTTIME, &t) == 0 ? (int64_t)t.tv_sec : 0;
}

/* The kernel's own line: now less uptime would differ a little each time. */
int64_t host_booted(void)
{
	struct buf text = BUF_INIT;
	const char *line;
	int64_t at = 0;

	if (file_read("/proc/stat", STAT_MAX, &text) == 0 && (line = strstr(buf_str(&text), "\nbtime ")) != NULL)
		at = strtoll(line + strlen("\nbtime "), NULL, 10);
	buf_free(&text);
	return at;
}
