/* slow_folder.c - a folder that shows another one's files (FUSE, read only) and remembers nothing, for tests: stopped by SIGSTOP it is a file system
 * that hangs.
 *
 *     slow_folder SOURCE MOUNT-POINT [FUSE's options] */
#define FUSE_USE_VERSION 31

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int source;

static const char *below(const char *path)
{
	return path[1] ? path + 1 : ".";
}

static int look(const char *path, struct stat *st, struct fuse_file_info *info)
{
	return fstatat(source, below(path), st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int list(const char *path, void *buffer, fuse_fill_dir_t fill, off_t at, struct fuse_file_info *info, enum fuse_readdir_flags flags)
{
	return fill(buffer, ".", NULL, 0, 0) || fill(buffer, "..", NULL, 0, 0) ? -ENOMEM : 0;
}

static int begin(const char *path, struct fuse_file_info *info)
{
	int fd = openat(source, below(path), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	info->fh = (uint64_t)fd;
	info->direct_io = 1;
	return 0;
}

static int give(const char *path, char *buffer, size_t size, off_t at, struct fuse_file_info *info)
{
	ssize_t n = pread((int)info->fh, buffer, size, at);

	return n < 0 ? -errno : (int)n;
}

static int end(const char *path, struct fuse_file_info *info)
{
	return close((int)info->fh);
}

static void *start(struct fuse_conn_info *connection, struct fuse_config *config)
{
	config->entry_timeout = config->attr_timeout = config->negative_timeout = 0;
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct fuse_operations operations = { .init = start, .getattr = look, .readdir = list, .open = begin, .read = give, .release = end };

	source = argc > 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (source < 0) {
		perror("slow_folder SOURCE MOUNT-POINT");
		return 1;
	}
	argv[1] = argv[0];
	return fuse_main(argc - 1, argv + 1, &operations, NULL);
}
