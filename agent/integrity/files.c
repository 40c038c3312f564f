/* files.c - SHA-256 of the files that the server's rules name. Regular files only; a link at the end of the path is not followed,
 * since who may write the link would choose what is hashed, and is reported as not known, like whatever is too large or
 * cannot be read. A file that does not exist is null: that is known. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>
#include <stdlib.h>

#include "agent/integrity/family.h"
#include "base/clock.h"
#include "base/encode.h"

#define FILE_BYTES_MAX (64 << 20)
#define ALL_BYTES_MAX (256 << 20)
#define PIECE 65536

/* Reads at most *LEFT bytes, which it takes from it. */
static int add_content(int fd, EVP_MD_CTX *hash, size_t *left)
{
	static unsigned char piece[PIECE];
	size_t total = 0;
	ssize_t n;

	while ((n = read(fd, piece, sizeof piece)) > 0) {
		total += (size_t)n;
		if (total > FILE_BYTES_MAX || (size_t)n > *left || EVP_DigestUpdate(hash, piece, (size_t)n) != 1)
			return -1;
		*left -= (size_t)n;
	}
	return n < 0 ? -1 : 0;
}

static json_t *hash_of(int fd, size_t *left)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	json_t *value = NULL;
	struct stat st;
	char *text;

	if (hash && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_BYTES_MAX
		&& EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 && add_content(fd, hash, left) == 0
		&& EVP_DigestFinal_ex(hash, digest, &len) == 1) {
		text = encode_hex(digest, len);
		value = json_string(text);
		free(text);
	}
	EVP_MD_CTX_free(hash);
	return value;
}

/* Without waiting: some of the kernel's files and a FIFO would let a reader wait for ever. */
static json_t *look(const char *path, size_t *left)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	json_t *value;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? json_null() : NULL;
	value = hash_of(fd, left);
	close(fd);
	return value;
}

json_t *fact_files(struct facts_run *run)
{
	json_t *set = json_object();
	size_t left = ALL_BYTES_MAX;

	for (int i = 0; i < run->wish->files_count; i++) {
		json_t *value = look(run->wish->files[i].path, &left);

		if (value)
			json_object_set_new(set, run->wish->files[i].path, value);
	}
	return set;
}
