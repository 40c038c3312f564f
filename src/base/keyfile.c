/* keyfile.c - reads key files after checking whose they are; makes them once. */
#include "base/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

static int check_owner(int fd, const char *path, struct stat *st)
{
	if (fstat(fd, st) < 0)
		return err_set(ERR_IO, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st->st_mode) || st->st_nlink != 1)
		return err_set(ERR_FORBIDDEN, "%s is not a regular file of one name", path);
	if (st->st_uid != geteuid())
		return err_set(ERR_FORBIDDEN, "%s belongs to user %u, not %u", path, st->st_uid, geteuid());
	if (st->st_mode & 077)
		return err_set(ERR_FORBIDDEN, "%s has mode %04o: others may use it", path, st->st_mode & 07777);
	return 0;
}

static int read_all(int fd, const char *path, struct secret *s)
{
	size_t have = 0;
	ssize_t n;

	while (have < s->len) {
		n = read(fd, s->data + have, s->len - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(ERR_IO, "%s: %s", path, n < 0 ? strerror(errno) : "shorter than it was");
		have += (size_t)n;
	}
	return 0;
}

int keyfile_read(const char *path, size_t max, struct secret **out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct secret *s = NULL;
	struct stat st;
	int rc;

	if (fd < 0 && errno == ELOOP)
		return err_set(ERR_FORBIDDEN, "%s is a symbolic link", path);
	if (fd < 0)
		return err_set(errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, strerror(errno));
	rc = check_owner(fd, path, &st);
	if (rc == 0 && (size_t)st.st_size > max)
		rc = err_set(ERR_TOO_LARGE, "%s is larger than %zu bytes", path, max);
	if (rc == 0) {
		s = secret_new((size_t)st.st_size);
		rc = read_all(fd, path, s);
	}
	if (rc == 0)
		*out = s;
	else
		secret_free(s);
	close(fd);
	return rc;
}

int keyfile_get(const struct secret *given, const char *path, size_t max, struct secret **out)
{
	if (given == NULL)
		return keyfile_read(path, max, out);
	if (given->len > max)
		return err_set(ERR_TOO_LARGE, "%s is larger than %zu bytes", path, max);
	*out = secret_new(given->len);
	if (given->len)
		memcpy((*out)->data, given->data, given->len);
	return 0;
}

/* The folder of PATH, locked for this process until the descriptor is closed. */
static int lock_folder(const char *path)
{
	char *copy = mem_strdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	free(copy);
	if (fd >= 0 && flock(fd, LOCK_EX) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return err_set(ERR_IO, "folder of %s: %s", path, strerror(errno));
}

int keyfile_create(const char *path, const void *data, size_t len)
{
	int folder = lock_folder(path);
	struct stat st;
	int rc;

	if (folder < 0)
		return folder;
	/* file_write replaces what is there: under the lock nobody can have made it since the look. */
	if (lstat(path, &st) == 0)
		rc = err_set(ERR_CONFLICT, "%s exists", path);
	else if (errno != ENOENT)
		rc = err_set(ERR_IO, "%s: %s", path, strerror(errno));
	else
		rc = file_write(path, data, len, 0600);
	close(folder);
	return rc;
}
