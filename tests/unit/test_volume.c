/* test_volume.c - sector ciphers against published vectors, the plaintext segment against a plain buffer, headers that are
 * killed while they are written, and what must be refused. No kernel facility is needed but files. */
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

static struct secret *key_of(const char *hex)
{
	struct buf raw = BUF_INIT;
	struct secret *key;

	secret_init();
	CHECK_INT(decode_hex(hex, &raw), 0);
	key = secret_take(raw.data, raw.len);
	buf_free(&raw);
	return key;
}

/* What the ciphertext of one sector begins with. */
static void check_cipher(const char *mode, const char *key_hex, uint64_t sector, const unsigned char *plain, uint32_t size,
	const char *want)
{
	struct secret *key = key_of(key_hex);
	unsigned char out[4096], back[4096];
	struct cipher_spec spec;
	struct cipher *c = NULL;
	char *got;

	CHECK_INT(cipher_spec_parse("aes", mode, key->len, size, 0, &spec), 0);
	CHECK_INT(cipher_new(&spec, key, &c), 0);
	CHECK_INT(cipher_encrypt(c, sector, plain, out, size), 0);
	got = encode_hex(out, strlen(want) / 2);
	CHECK_STR(got, want);
	CHECK_INT(cipher_decrypt(c, sector, out, back, size), 0);
	CHECK(memcmp(back, plain, size) == 0);
	CHECK_INT(cipher_encrypt(c, sector, plain, out, size - 1), ERR_INVALID);
	free(got);
	cipher_free(c);
	secret_free(key);
}

TEST(xts_matches_ieee_1619, "VOL-1,DEV-8")
{
	unsigned char counting[512];

	for (size_t i = 0; i < sizeof counting; i++)
		counting[i] = (unsigned char)i;
	/* Vector 4: AES-128, data unit 0; vector 10: AES-256, data unit 0xff. */
	check_cipher("xts-plain64", "2718281828459045235360287471352631415926535897932384626433832795", 0, counting, 512,
		"27a7479befa1d476489f308cd4cfa6e2a96e4bbe3208ff25287dd3819616e89c");
	check_cipher("xts-plain64", "2718281828459045235360287471352662497757247093699959574966967627"
		"3141592653589793238462643383279502884197169399375105820974944592", 0xff, counting, 512,
		"1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b");
}

TEST(ciphers_that_are_not_ours_are_refused, "DEV-8")
{
	struct cipher_spec spec;

	CHECK_INT(cipher_spec_parse("aes", "xts-plain64", 48, 512, 0, &spec), ERR_UNSUPPORTED);
	CHECK_INT(cipher_spec_parse("aes", "xts-plain", 64, 512, 0, &spec), ERR_UNSUPPORTED);
	CHECK_INT(cipher_spec_parse("serpent", "xts-plain64", 64, 512, 0, &spec), ERR_UNSUPPORTED);
	CHECK_INT(cipher_spec_parse("aes", "cbc-essiv:sha256", 64, 512, 0, &spec), ERR_UNSUPPORTED);
	CHECK_INT(cipher_spec_parse("aes", "xts-plain64", 64, 1000, 0, &spec), ERR_UNSUPPORTED);
	CHECK_INT(cipher_spec_parse("aes", "cbc-essiv:sha256", 24, 512, 0, &spec), 0);
}

#define SEGMENT (4 * MIB)
#define WRITERS 4

struct writer {
	struct plain *plain;
	unsigned char *reference;
	unsigned seed;
	int failed;
};

/* Each writer has every fourth 1000-byte cell, so that neighbours share sectors but not bytes. */
static void *write_cells(void *data)
{
	struct writer *w = data;
	unsigned char cell[1000];
	const unsigned char *back;
	unsigned mine = w->seed % WRITERS, at;

	for (int i = 0; i < 1500; i++) {
		at = ((unsigned)rand_r(&w->seed) % (SEGMENT / 1000 / WRITERS) * WRITERS + mine) * 1000;
		for (size_t j = 0; j < sizeof cell; j++)
			cell[j] = (unsigned char)rand_r(&w->seed);
		w->failed |= plain_write(w->plain, at, cell, sizeof cell) < 0;
		memcpy(w->reference + at, cell, sizeof cell);
		w->failed |= plain_read(w->plain, at, sizeof cell, &back) != sizeof cell || memcmp(back, cell, sizeof cell) != 0;
	}
	return NULL;
}

static struct plain *make_plain(uint32_t sector, int *raw)
{
	struct plain_segment segment = { .offset = 16384, .size = SEGMENT };
	char path[] = "/tmp/keyward-plain-XXXXXX";
	struct plain *p = NULL;
	int fd = mkstemp(path);

	secret_init();
	CHECK(fd >= 0 && ftruncate(fd, SEGMENT + 16384) == 0);
	*raw = open(path, O_RDONLY | O_CLOEXEC);
	unlink(path);
	CHECK_INT(cipher_spec_parse("aes", "xts-plain64", 64, sector, 0, &segment.cipher), 0);
	CHECK_INT(plain_new(fd, &segment, secret_random(64), &p), 0);
	return p;
}

static void fill_with_zeros(struct plain *p)
{
	static const unsigned char zero[MIB];

	for (uint64_t at = 0; at < SEGMENT; at += MIB)
		CHECK_INT(plain_write(p, at, zero, MIB), 0);
}

TEST(unaligned_writes_of_many_threads_keep_their_neighbours, "VOL-1,VOL-6")
{
	unsigned char *reference = mem_alloc(SEGMENT);
	struct writer w[WRITERS];
	pthread_t thread[WRITERS];
	const unsigned char *data;
	int raw;
	struct plain *p = make_plain(4096, &raw);

	fill_with_zeros(p);
	for (unsigned i = 0; i < WRITERS; i++) {
		w[i] = (struct writer){ p, reference, i, 0 };
		pthread_create(&thread[i], NULL, write_cells, &w[i]);
	}
	for (size_t i = 0; i < WRITERS; i++) {
		pthread_join(thread[i], NULL);
		CHECK(!w[i].failed);
	}
	for (uint64_t at = 0; at < SEGMENT; at += MIB) {
		CHECK_INT(plain_read(p, at, MIB, &data), MIB);
		CHECK(memcmp(data, reference + at, MIB) == 0);
	}
	plain_free(p);
	close(raw);
	free(reference);
}

#define CHUNK 65536

/* Where byte AT of an array of COUNT parts lies, written down a second time. */
static void check_byte(struct stripe *s, struct plain **parts, size_t count, uint64_t at)
{
	uint64_t row = at / (CHUNK * count), part = at / CHUNK % count;
	const unsigned char *one, *other;
	unsigned char byte;

	CHECK_INT(stripe_read(s, at, 1, &one), 1);
	byte = *one;
	CHECK_INT(plain_read(parts[part], row * CHUNK + at % CHUNK, 1, &other), 1);
	CHECK_INT(*other, byte);
}

TEST(stripes_lie_as_raid_0_lays_them, "RAID-1,VOL-2")
{
	unsigned char *reference = mem_alloc(3 * SEGMENT);
	struct plain *parts[3];
	const unsigned char *data;
	struct stripe *s = NULL;
	unsigned seed = 1;
	int raw[3];

	for (int i = 0; i < 3; i++) {
		parts[i] = make_plain(i ? 512 : 4096, &raw[i]);
		fill_with_zeros(parts[i]);
	}
	CHECK_INT(stripe_new(parts, 3, CHUNK, &s), 0);
	CHECK_INT(stripe_size(s), 3 * SEGMENT);
	CHECK_INT(stripe_sector(s), 4096);
	for (int i = 0; i < 400; i++) {
		size_t len = 1 + (size_t)rand_r(&seed) % (i % 4 ? 9000 : MIB), at = (size_t)rand_r(&seed) % (3 * SEGMENT - len);

		for (size_t j = 0; j < len; j++)
			reference[at + j] = (unsigned char)(rand_r(&seed) >> 8);
		CHECK_INT(stripe_write(s, at, reference + at, len), 0);
	}
	for (uint64_t at = 0; at < 3 * SEGMENT; at += 999983) {
		size_t len = 3 * SEGMENT - at < MIB ? 3 * SEGMENT - at : MIB;

		CHECK_INT(stripe_read(s, at, MIB, &data), len);
		CHECK(memcmp(data, reference + at, len) == 0);
		check_byte(s, parts, 3, at);
	}
	CHECK_INT(stripe_read(s, 3 * SEGMENT, 1, &data), 0);
	CHECK_INT(stripe_write(s, 3 * SEGMENT - 1, reference, 2), ERR_INVALID);
	CHECK_INT(stripe_discard(s, 0, CHUNK), ERR_UNSUPPORTED);
	stripe_allow_discards(s);
	CHECK_INT(stripe_discard(s, CHUNK, 2 * CHUNK), 0);
	CHECK_INT(stripe_read(s, 0, CHUNK, &data), CHUNK);
	CHECK(memcmp(data, reference, CHUNK) == 0);
	CHECK_INT(stripe_read(s, 3 * CHUNK, CHUNK, &data), CHUNK);
	CHECK(memcmp(data, reference + 3 * CHUNK, CHUNK) == 0);
	CHECK_INT(stripe_flush(s), 0);
	stripe_free(s);
	/* Chunks that are no whole sectors make none. */
	for (int i = 0; i < 2; i++)
		parts[i] = make_plain(4096, &raw[i]);
	CHECK_INT(stripe_new(parts, 2, 2048, &s), ERR_INVALID);
	for (int i = 0; i < 3; i++)
		close(raw[i]);
	free(reference);
}

TEST(segment_holds_no_plaintext_and_ends_where_it_ends, "VOL-1")
{
	unsigned char text[8192], stored[SEGMENT / 64];
	const unsigned char *data;
	int raw;
	struct plain *p = make_plain(512, &raw);

	memset(text, 'K', sizeof text);
	fill_with_zeros(p);
	CHECK_INT(plain_write(p, 100, text, sizeof text), 0);
	CHECK_INT(plain_flush(p), 0);
	CHECK_INT(pread(raw, stored, sizeof stored, 16384), sizeof stored);
	CHECK(memmem(stored, sizeof stored, "KKKKKKKK", 8) == NULL);
	CHECK(memmem(stored, sizeof stored, "\0\0\0\0\0\0\0\0", 8) == NULL);
	CHECK_INT(plain_write(p, SEGMENT - 10, text, 11), ERR_INVALID);
	CHECK_INT(plain_write(p, SEGMENT - 10, text, 10), 0);
	CHECK_INT(plain_read(p, SEGMENT - 10, 100, &data), 10);
	CHECK(memcmp(data, text, 10) == 0);
	CHECK_INT(plain_read(p, SEGMENT, 100, &data), 0);
	CHECK_INT(plain_discard(p, 0, 4096), ERR_UNSUPPORTED);
	plain_free(p);
	close(raw);
}

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
	struct plain_segment segment;
	char *path = make_file(32 * MIB);

	secret_init();
	old = secret_random(32);
	new = secret_random(32);
	wrong = secret_random(32);
	CHECK_INT(volume_format(path, &p, old, 0, NULL, NULL), 0);
	CHECK_INT(header_load(path, &cd), 0);
	CHECK_INT(header_unlock(cd, 32 * MIB, old, &segment, &before), 0);
	CHECK_INT(header_unlock(cd, 32 * MIB, wrong, &segment, &after), ERR_FORBIDDEN);
	crypt_free(cd);
	CHECK_INT(volume_rekey(path, wrong, new, 8), ERR_FORBIDDEN);
	CHECK_INT(volume_rekey(path, old, new, 8), 0);
	/* A second time, as after a crash: the same end. */
	CHECK_INT(volume_rekey(path, old, new, 8), 0);
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
