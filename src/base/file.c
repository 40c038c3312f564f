/* file.c - reading and durably replacing whole files. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

static int io_error(const char *what, const char *path)
{
	return err_set(errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s %s: %s", what, path, strerror(errno));
}

uint64_t file_stamp(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? 0 : (uint64_t)st.st_ino * 0x9e3779b97f4a7c15u + (uint64_t)st.st_mtim.tv_sec * 1000000000u
		+ (uint64_t)st.st_mtim.tv_nsec + 1;
}

int file_read(const char *path, size_t max, struct buf *out)
{
	size_t before = out->len;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char chunk[16384];
	ssize_t n = 0;
	int rc = 0;

	if (fd < 0)
		return io_error("open", path);
	while (rc == 0 && (n = read(fd, chunk, sizeof chunk)) > 0) {
		if (out->len - before + (size_t)n > max)
			rc = err_set(ERR_TOO_LARGE, "%s is larger than %zu bytes", path, max);
		else
			buf_add(out, chunk, (size_t)n);
	}
	if (n < 0)
		rc = io_error("read", path);
	if (rc < 0 && out->data) {
		out->len = before;
		out->data[before] = '\0';
	}
	close(fd);
	return rc;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return fsync(fd);
}

static int sync_folder_of(const char *path)
{
	char *copy = mem_strdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : fsync(fd);

	if (fd >= 0)
		close(fd);
	free(copy);
	return rc;
}

int file_write(const char *path, const void *data, size_t len, mode_t mode)
{
	char *beside = mem_printf("%s.new", path);
	int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	int rc = 0;

	if (fd < 0)
		rc = io_error("create", beside);
	else if (fchmod(fd, mode) < 0 || write_all(fd, data, len) < 0)
		rc = io_error("write", beside);
	if (fd >= 0 && close(fd) < 0 && rc == 0)
		rc = io_error("close", beside);
	if (rc == 0 && (rename(beside, path) < 0 || sync_folder_of(path) < 0))
		rc = io_error("rename", path);
	if (rc < 0)
		unlink(beside);
	free(beside);
	return rc;
}

int file_trusted(const char *path, mode_t type)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_set(ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
	if ((st.st_mode & S_IFMT) != type)
		return err_set(ERR_FORBIDDEN, "%s is not a %s", path, type == S_IFDIR ? "folder" : "regular file");
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(ERR_FORBIDDEN, "%s belongs to another user than root", path);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(ERR_FORBIDDEN, "%s can be written by others than its owner", path);
	return 0;
}
