/* private.c - see private.h. Nothing passes through stdio, whose buffers would keep it. */
#include "agent/common/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"

int private_read(const char *path, size_t max, struct secret **out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct secret *s;
	struct stat st;
	ssize_t got;

	if (fd < 0)
		return err_set(errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) == 0 && (st.st_mode & 077)) {
		close(fd);
		return err_set(ERR_FORBIDDEN, "%s: others than the owner may use it; set its mode to 0600", path);
	}
	s = secret_new(max + 1);
	got = read(fd, s->data, max);
	close(fd);
	if (got <= 0) {
		secret_free(s);
		return err_set(ERR_IO, "%s: cannot be read", path);
	}
	*out = secret_take(s->data, (size_t)got + 1);
	secret_free(s);
	return 0;
}

int private_line(const char *name, const char *path, struct secret **out)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	struct secret *s = secret_new(PRIVATE_LINE_MAX + 1);
	size_t len = 0;
	ssize_t n = 1;

	while (fd >= 0 && len < PRIVATE_LINE_MAX && n > 0) {
		n = read(fd, s->data + len, PRIVATE_LINE_MAX - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (fd > STDIN_FILENO)
		close(fd);
	s->data[strcspn((const char *)s->data, "\r\n")] = '\0';
	if (fd < 0 || n < 0 || s->data[0] == '\0') {
		secret_free(s);
		return err_set(ERR_INVALID, "no %s can be read from %s: %s", name, path,
			fd < 0 || n < 0 ? strerror(errno) : "it is empty");
	}
	*out = s;
	return 0;
}

struct secret *private_take(char *text)
{
	size_t len = strlen(text);
	struct secret *s = secret_new(len + 1);

	memcpy(s->data, text, len);
	secret_wipe(text, len);
	return s;
}

int private_secret(const char *name, struct secret *given, const char *file, const char *variable, struct secret **out)
{
	char *environment = getenv(variable);

	if (given) {
		secret_free(*out);
		*out = given;
		log_warning("among the options it can be seen by others with ps; a file or the environment keeps it out", "what",
			name, NULL);
	} else if (file) {
		return private_line(name, file, out);
	} else if (environment) {
		secret_free(*out);
		*out = private_take(environment);
		unsetenv(variable);
	}
	return 0;
}
