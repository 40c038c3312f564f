/* test_volume.c - headers that are killed while they are written, and what must be refused. No kernel facility is needed but files. */
#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/volume/header.h"
#include "agent/volume/plain.h"
#include "agent/volume/state.h"
#include "agent/volume/stripe.h"
#include "agent/volume/use.h"
#include "agent/volume/volume.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/err.h"
#include "base/mem.h"

#define MIB (1024 * 1024)

static char *make_file(off_t size)
{
	/* In memory: what is tested is the order of writes, not the disk. */
	char *path = mem_strdup(access("/dev/shm", W_OK) == 0 ? "/dev/shm/keyward-volume-XXXXXX" : "/tmp/keyward-volume-XXXXXX");
	int fd = mkstemp(path);

	CHECK(fd >= 0 && ftruncate(fd, size) == 0);
	close(fd);
	return path;
}

static struct volume_params params(void)
{
	struct volume_params p = { .cipher = VOLUME_XTS, .key_bits = 256, .token = { .server = "https://keyward.example",
		.account = uuid_new(), .device = uuid_new(), .key_version = 7 } };

	return p;
}

TEST(format_writes_a_token_with_the_mark_until_ready, "VOL-4,VOL-5")
{
	struct volume_params p = params();
	struct volume_report r;
	char *path = make_file(32 * MIB);
	struct secret *key;

	secret_init();
	key = secret_random(32);
	CHECK_INT(volume_format(path, &p, key, 0, NULL, NULL), 0);
	CHECK_INT(volume_inspect(path, &r), 0);
	CHECK_INT(r.content, VOLUME_OURS);
	CHECK_INT(r.use, VOLUME_FREE);
	CHECK_INT(r.size, 32 * MIB);
	CHECK_STR(r.token.server, p.token.server);
	CHECK(uuid_equal(&r.token.account, &p.token.account) && uuid_equal(&r.token.device, &p.token.device));
	CHECK_INT(r.token.key_version, 7);
	CHECK_INT(r.token.keyslot, 0);
	CHECK_INT(r.token.provisioning, 1);
	CHECK_INT(volume_ready(path), 0);
	CHECK_INT(volume_inspect(path, &r), 0);
	CHECK_INT(r.token.provisioning, 0);
	/* Ready, it is refused like anything else that holds data. */
	CHECK_INT(volume_format(path, &p, key, 0, NULL, NULL), ERR_CONFLICT);
	CHECK(strstr(err_text(), "Keyward volume") != NULL);
	CHECK_INT(volume_format(path, &p, key, 1, NULL, NULL), 0);
	/* Not yet ready, but another device's: a moved disk. */
	p.token.device = uuid_new();
	CHECK_INT(volume_format(path, &p, key, 0, NULL, NULL), ERR_CONFLICT);
	secret_free(key);
	unlink(path);
	free(path);
}

TEST(parameters_that_make_no_volume_are_refused, "DEV-8,VOL-1")
{
	struct volume_params p = params();
	struct volume_report r;
	char *path = make_file(32 * MIB), *small = make_file(MIB);
	struct secret *key;

	secret_init();
	key = secret_random(32);
	p.key_bits = 192;
	CHECK_INT(volume_format(path, &p, key, 0, NULL, NULL), ERR_INVALID);
	p.key_bits = 256;
	p.hash = "md5";
	CHECK_INT(volume_format(path, &p, key, 0, NULL, NULL), ERR_INVALID);
	p.hash = NULL;
	p.sector_size = 1024;
	CHECK_INT(volume_format(path, &p, key, 0, NULL, NULL), ERR_INVALID);
	p.sector_size = 0;
	CHECK_INT(volume_inspect(path, &r), 0);
	CHECK_INT(r.content, VOLUME_NOTHING);
	CHECK(volume_format(small, &p, key, 0, NULL, NULL) < 0);
	CHECK_INT(volume_inspect(small, &r), 0);
	CHECK_INT(r.content, VOLUME_NOTHING);
	secret_free(key);
	unlink(path);
	unlink(small);
	free(path);
	free(small);
}

/* In a process of its own, killed after DELAY microseconds. */
static void format_and_die(const char *path, const struct volume_params *p, const struct secret *key, useconds_t delay)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(volume_format(path, p, key, 0, NULL, NULL) < 0);
	usleep(delay);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

TEST(format_killed_at_any_moment_can_be_run_again, "VOL-4,VOL-6")
{
	struct volume_params p = params();
	struct volume_report r;
	struct secret *key;
	int nothing = 0, ours = 0;
	char *path = make_file(32 * MIB);
	clock_us took;

	secret_init();
	key = secret_random(32);
	took = clock_ticks();
	CHECK_INT(volume_format(path, &p, key, 0, NULL, NULL), 0);
	took = clock_ticks() - took;
	for (int i = 0; i < 12 || (ours == 0 && i < 18); i++) {
		/* A machine that has become slower since: later and later, until a kill comes after the moment that matters. */
		clock_us delay = i < 12 ? took * (i * 7 % 12) / 8 : took << (i - 11);

		/* Every third time from an empty device, else over what the last kill left. */
		if (i % 3 == 0)
			CHECK(truncate(path, 0) == 0 && truncate(path, 32 * MIB) == 0);
		format_and_die(path, &p, key, (useconds_t)delay);
		CHECK_INT(volume_inspect(path, &r), 0);
		CHECK(r.content == VOLUME_NOTHING || (r.content == VOLUME_OURS && r.token.provisioning));
		nothing += r.content == VOLUME_NOTHING;
		ours += r.content == VOLUME_OURS;
	}
	printf("    %d killed before there was a volume, %d after; a whole run takes %d ms\n", nothing, ours, (int)(took / 1000));
	/* The kills must have met both sides of the moment that matters. */
	CHECK(nothing > 0 && ours > 0);
	CHECK_INT(volume_format(path, &p, key, 0, NULL, NULL), 0);
	secret_free(key);
	unlink(path);
	free(path);
}

/* Every prefix of the writes that a power cut could leave: the sectors that make a copy of the header exist, alone. */
TEST(half_a_header_is_no_volume, "VOL-4,VOL-6")
{
	struct volume_params p = params();
	struct volume_report r;
	struct secret *key;
	char *path = make_file(32 * MIB), zero[512] = "";
	int fd;

	secret_init();
	key = secret_random(32);
	CHECK_INT(volume_format(path, &p, key, 0, NULL, NULL), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK_INT(pwrite(fd, zero, 512, 0), 512);
	CHECK_INT(volume_inspect(path, &r), 0);
	CHECK_INT(r.content, VOLUME_OURS);
	CHECK_INT(r.token.provisioning, 1);
	/* libcryptsetup has mended the first copy from the second by now. */
	CHECK_INT(pwrite(fd, zero, 512, 0), 512);
	CHECK_INT(pwrite(fd, zero, 512, 16384), 512);
	CHECK_INT(volume_inspect(path, &r), 0);
	CHECK_INT(r.content, VOLUME_NOTHING);
	close(fd);
	secret_free(key);
	unlink(path);
	free(path);
}

struct listener {
	int least, stop_at;
};

static int hear_wipe(void *ctx, const char *stage, int percent)
{
	struct listener *l = ctx;

	if (strcmp(stage, "wipe") != 0)
		return 0;
	l->least = percent < l->least ? percent : l->least;
	return percent >= l->stop_at;
}

TEST(wipe_goes_on_where_it_was_interrupted, "VOL-4")
{
	struct volume_params p = params();
	struct volume_report r;
	struct secret *key;
	char *path = make_file((off_t)784 * MIB), block[4096];
	struct listener first = { 100, 50 }, second = { 100, 101 };
	int fd, clear = 0;

	secret_init();
	key = secret_random(32);
	p.wipe = 1;
	CHECK_INT(volume_format(path, &p, key, 0, hear_wipe, &first), ERR_CONFLICT);
	CHECK_INT(first.least, 0);
	CHECK_INT(volume_inspect(path, &r), 0);
	CHECK(r.token.provisioning);
	CHECK_INT(r.token.wiped, 256 * MIB);
	CHECK_INT(volume_format(path, &p, key, 0, hear_wipe, &second), 0);
	CHECK_INT(second.least, 256 * 100 / 768);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	for (off_t at = 16 * MIB; at < (off_t)784 * MIB; at += MIB) {
		clear += pread(fd, block, sizeof block, at) != sizeof block;
		clear += memmem(block, sizeof block, "\0\0\0\0\0\0\0\0", 8) != NULL;
	}
	CHECK_INT(clear, 0);
	close(fd);
	secret_free(key);
	unlink(path);
	free(path);
}

TEST(rekey_changes_the_slot_and_nothing_else, "VOL-1,KEY-6")
{
	struct volume_params p = params();
	struct crypt_device *cd = NULL;
	struct volume_report r;
	struct secret *old, *new, *wrong, *before = NULL, *after = NULL;
	struct volume_rekey r8;
	struct plain_segment segment;
	char *path = make_file(32 * MIB);

	secret_init();
	old = secret_random(32);
	new = secret_random(32);
	wrong = secret_random(32);
	r8 = (struct volume_rekey){ .old = old, .new = new, .version = 8 };
	CHECK_INT(volume_format(path, &p, old, 0, NULL, NULL), 0);
	CHECK_INT(header_load(path, &cd), 0);
	CHECK_INT(header_unlock(cd, 32 * MIB, old, &segment, &before), 0);
	CHECK_INT(header_unlock(cd, 32 * MIB, wrong, &segment, &after), ERR_FORBIDDEN);
	crypt_free(cd);
	CHECK_INT(volume_rekey_add(path, &(struct volume_rekey){ .old = wrong, .new = new, .version = 8 }), ERR_FORBIDDEN);
	CHECK_INT(volume_rekey_drop(path, &r8), ERR_FORBIDDEN);
	CHECK_INT(volume_rekey_add(path, &(struct volume_rekey){ .old = old, .new = old, .version = 8 }), ERR_INVALID);
	/* Each a second time, as after a crash: the same end. */
	for (int i = 0; i < 4; i++) {
		CHECK_INT(i < 2 ? volume_rekey_add(path, &r8) : volume_rekey_drop(path, &r8), 0);
		CHECK_INT(header_prove(path, new, LIMITS_DEVICE_KEY, CRYPT_ANY_SLOT), 1);
		CHECK_INT(header_prove(path, old, LIMITS_DEVICE_KEY, CRYPT_ANY_SLOT), i < 2 ? 0 : ERR_FORBIDDEN);
	}
	CHECK_INT(header_load(path, &cd), 0);
	CHECK_INT(header_unlock(cd, 32 * MIB, old, &segment, &after), ERR_FORBIDDEN);
	CHECK_INT(header_unlock(cd, 32 * MIB, new, &segment, &after), 0);
	CHECK(before && after && secret_equal(before, after));
	crypt_free(cd);
	CHECK_INT(volume_inspect(path, &r), 0);
	CHECK_INT(r.token.key_version, 8);
	CHECK_INT(r.token.keyslot, 1);
	secret_free(old);
	secret_free(new);
	secret_free(wrong);
	secret_free(before);
	secret_free(after);
	unlink(path);
	free(path);
}

TEST(a_claimed_file_and_the_root_disk_are_never_free, "VOL-4")
{
	struct volume_params p = params();
	enum volume_use use;
	char text[VOLUME_TEXT_MAX], root[64], *path = make_file(32 * MIB);
	struct volume_report r = { .use = VOLUME_ROOT_DISK };
	struct secret *key;
	struct stat st;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	secret_init();
	key = secret_random(32);
	CHECK_INT(use_claim_file(fd, 1), 0);
	CHECK_INT(volume_format(path, &p, key, 1, NULL, NULL), ERR_BUSY);
	close(fd);
	CHECK_INT(volume_format(path, &p, key, 1, NULL, NULL), 0);
	CHECK_INT(volume_may_overwrite(&r, &p.token.device, 1), ERR_BUSY);
	CHECK(stat("/", &st) == 0);
	snprintf(root, sizeof root, "/dev/block/%u:%u", (unsigned)(st.st_dev >> 8), (unsigned)(st.st_dev & 255));
	/* Where the root file system lies on a block device that can be seen from here. */
	if ((st.st_dev >> 8) != 0 && access(root, F_OK) == 0) {
		CHECK_INT(use_find(root, USE_CLAIMED_BY_OTHERS, &use, text), 0);
		CHECK_INT(use, VOLUME_ROOT_DISK);
		CHECK(strstr(text, "root disk") != NULL);
	}
	secret_free(key);
	unlink(path);
	free(path);
}

TEST(names_that_could_leave_the_folder_are_refused, "VOL-4")
{
	CHECK_INT(state_check_name("data-1.old_2"), 0);
	CHECK_INT(state_check_name(""), ERR_INVALID);
	CHECK_INT(state_check_name(".."), ERR_INVALID);
	CHECK_INT(state_check_name("a/b"), ERR_INVALID);
	CHECK_INT(state_check_name("a b"), ERR_INVALID);
	CHECK_INT(state_check_name("0123456789012345678901234567890123456789012345678"), ERR_INVALID);
}

TEST_MAIN
