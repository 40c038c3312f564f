/* mount_point.c - see mount_point.h. */
#include "base/mount_point.h"

#include <stddef.h>
#include <string.h>

/* Where a data volume must not hide what the system runs from. */
static int is_system_path(const char *path)
{
	static const char *const paths[] = { "/", "/root", "/tmp", "/usr", "/usr/local", "/usr/local/bin", "/usr/local/libexec", "/usr/local/sbin",
		"/usr/share", "/var", "/var/lib", "/var/lib/dpkg", "/var/lib/keyward", "/var/lib/rpm", "/var/run" };
	static const char *const trees[] = { "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr/bin",
		"/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/sbin" };
	size_t len;

	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
		if (strcmp(path, paths[i]) == 0)
			return 1;
	for (size_t i = 0; i < sizeof trees / sizeof trees[0]; i++) {
		len = strlen(trees[i]);
		if (strncmp(path, trees[i], len) == 0 && (path[len] == '\0' || path[len] == '/'))
			return 1;
	}
	return 0;
}

static int ends_with(const char *path, const char *end)
{
	size_t len = strlen(path), tail = strlen(end);

	return len >= tail && strcmp(path + len - tail, end) == 0;
}

const char *mount_point_problem(const char *path)
{
	if (path[0] != '/')
		return "An absolute path is needed: it begins with a slash.";
	for (const char *c = path; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return "It holds control characters.";
	if (strstr(path, "//") || strstr(path, "/./") || strstr(path, "/../") || (path[1] && ends_with(path, "/"))
		|| ends_with(path, "/..") || ends_with(path, "/."))
		return "Write the path plainly: no dots, no double slash, no slash at the end.";
	return is_system_path(path) ? "The system itself lives there. Choose another folder, such as /srv/data." : NULL;
}
