/* test_plain.c - sector ciphers against published vectors; the plaintext of segments and arrays against a plain buffer; disks that are
 * full, have shrunk, or have larger blocks. No kernel facility is needed but files. */
#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "agent/volume/stripe.h"
#include "base/buf.h"
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

static struct plain_lane *make_lane(struct plain *p)
{
	struct plain_lane *lane = NULL;

	CHECK_INT(plain_lane_new(p, &lane), 0);
	return lane;
}

/* Each writer has every fourth 1000-byte cell, so that neighbours share sectors but not bytes. */
static void *write_cells(void *data)
{
	struct writer *w = data;
	unsigned char cell[1000];
	struct plain_lane *lane = make_lane(w->plain);
	const unsigned char *back;
	unsigned mine = w->seed % WRITERS, at;

	for (int i = 0; i < 1500; i++) {
		at = ((unsigned)rand_r(&w->seed) % (SEGMENT / 1000 / WRITERS) * WRITERS + mine) * 1000;
		for (size_t j = 0; j < sizeof cell; j++)
			cell[j] = (unsigned char)rand_r(&w->seed);
		w->failed |= plain_write(lane, at, cell, sizeof cell) < 0;
		memcpy(w->reference + at, cell, sizeof cell);
		w->failed |= plain_read(lane, at, sizeof cell, &back) != sizeof cell || memcmp(back, cell, sizeof cell) != 0;
	}
	plain_lane_free(lane);
	return NULL;
}

/* BLOCK: as of a disk with such blocks. */
static int as_device;

static struct plain *make_plain(uint32_t sector, uint32_t block, int *raw)
{
	struct plain_segment segment = { .offset = 16384, .size = SEGMENT };
	char path[] = "/tmp/keyward-plain-XXXXXX";
	struct plain *p = NULL;
	struct backing backing = { .fd = mkstemp(path), .size = SEGMENT + 16384, .block = block, .is_device = as_device };

	secret_init();
	CHECK(backing.fd >= 0 && ftruncate(backing.fd, SEGMENT + 16384) == 0);
	*raw = open(path, O_RDWR | O_CLOEXEC);
	unlink(path);
	CHECK_INT(cipher_spec_parse("aes", "xts-plain64", 64, sector, 0, &segment.cipher), 0);
	CHECK_INT(plain_new(&backing, &segment, secret_random(64), &p), 0);
	return p;
}

static struct plain *make_disk(uint32_t sector, uint32_t block, int *raw)
{
	struct plain *p;

	as_device = 1;
	p = make_plain(sector, block, raw);
	as_device = 0;
	return p;
}

static void *write_part(void *plain)
{
	struct plain_lane *lane = make_lane(plain);
	unsigned char *data = plain_lane_data(lane);

	memset(data, 1, 512);
	CHECK_INT(plain_write(lane, 512, data, 512), 0);
	plain_lane_free(lane);
	return NULL;
}

/* With A and B claimed to be written, which it gives back. */
static void check_part_waits(struct plain *p, struct plain_claim *a, struct plain_claim *b)
{
	struct plain_claim more;
	pthread_t thread;

	pthread_create(&thread, NULL, write_part, p);
	/* As soon as it waits no other claim comes before it; reads are not in its way. */
	while (plain_claim(p, 4096, 4096, 1, &more)) {
		plain_unclaim(&more);
		sched_yield();
	}
	CHECK(plain_claim(p, 4096, 4096, 0, &more));
	plain_unclaim(a);
	plain_unclaim(b);
	pthread_join(thread, NULL);
	CHECK(plain_claim(p, 4096, 4096, 1, &more));
	plain_unclaim(&more);
}

static void fill_with_zeros(struct plain_lane *lane)
{
	for (uint64_t at = 0; at < SEGMENT; at += PLAIN_MAX) {
		memset(plain_lane_data(lane), 0, PLAIN_MAX);
		CHECK_INT(plain_write(lane, at, plain_lane_data(lane), PLAIN_MAX), 0);
	}
}

TEST(unaligned_writes_of_many_threads_keep_their_neighbours, "VOL-1,VOL-6")
{
	unsigned char *reference = mem_alloc(SEGMENT);
	struct writer w[WRITERS];
	pthread_t thread[WRITERS];
	const unsigned char *data;
	int raw;
	struct plain *p = make_plain(4096, 1, &raw);
	struct plain_lane *lane = make_lane(p);

	fill_with_zeros(lane);
	for (unsigned i = 0; i < WRITERS; i++) {
		w[i] = (struct writer){ p, reference, i, 0 };
		pthread_create(&thread[i], NULL, write_cells, &w[i]);
	}
	for (size_t i = 0; i < WRITERS; i++) {
		pthread_join(thread[i], NULL);
		CHECK(!w[i].failed);
	}
	for (uint64_t at = 0; at < SEGMENT; at += PLAIN_MAX) {
		CHECK_INT(plain_read(lane, at, PLAIN_MAX, &data), PLAIN_MAX);
		CHECK(memcmp(data, reference + at, PLAIN_MAX) == 0);
	}
	plain_lane_free(lane);
	plain_free(p);
	close(raw);
	free(reference);
}

TEST(only_whole_units_of_a_disk_are_claimed_and_no_write_beside_one_of_a_part, "VOL-1,VOL-6")
{
	struct plain_claim a, b;
	int raw;
	struct plain *p = make_plain(512, 4096, &raw);

	CHECK(!plain_claim(p, 0, 4096, 0, &a));         /* a file's are waited for */
	plain_free(p);
	close(raw);
	p = make_disk(512, 4096, &raw);
	CHECK(plain_claim(p, 8192, 4096, 0, &a));
	CHECK_INT(a.at, 16384 + 8192);
	CHECK_INT(a.sector, 16);
	plain_unclaim(&a);
	CHECK(!plain_claim(p, 512, 4096, 0, &a) && !plain_claim(p, 0, 512, 1, &a) && !plain_claim(p, 0, 0, 1, &a));
	CHECK(plain_claim(p, SEGMENT - 4096, 4096, 1, &a) && plain_claim(p, 0, 4096, 1, &b));
	CHECK(!plain_claim(p, SEGMENT, 4096, 0, &(struct plain_claim){ 0 }) && !plain_claim(p, UINT64_MAX - 4095, 4096, 0, &(struct plain_claim){ 0 }));
	check_part_waits(p, &a, &b);
	plain_free(p);
	close(raw);
}

#define CHUNK 65536

/* Where byte AT of an array of COUNT parts lies, written down a second time. */
static void check_byte(struct stripe_lane *l, struct plain **parts, size_t count, uint64_t at)
{
	uint64_t row = at / (CHUNK * count), part = at / CHUNK % count;
	struct plain_lane *lane = make_lane(parts[part]);
	const unsigned char *one, *other;

	CHECK_INT(stripe_read(l, at, 1, &one), 1);
	CHECK_INT(plain_read(lane, row * CHUNK + at % CHUNK, 1, &other), 1);
	CHECK_INT(*other, *one);
	plain_lane_free(lane);
}

static void fill_part(struct plain *p)
{
	struct plain_lane *lane = make_lane(p);

	fill_with_zeros(lane);
	plain_lane_free(lane);
}

TEST(stripes_lie_as_raid_0_lays_them, "RAID-1,VOL-2")
{
	unsigned char *reference = mem_alloc(3 * SEGMENT);
	struct plain *parts[3];
	const unsigned char *data;
	struct stripe *s = NULL;
	struct stripe_lane *l = NULL;
	unsigned seed = 1;
	int raw[3];

	for (int i = 0; i < 3; i++) {
		parts[i] = make_plain(i ? 512 : 4096, 1, &raw[i]);
		fill_part(parts[i]);
	}
	CHECK_INT(stripe_new(parts, 3, CHUNK, &s), 0);
	CHECK_INT(stripe_lane_new(s, &l), 0);
	CHECK_INT(stripe_size(s), 3 * SEGMENT);
	CHECK_INT(stripe_unit(s), 4096);
	for (int i = 0; i < 400; i++) {
		size_t len = 1 + (size_t)rand_r(&seed) % (i % 4 ? 9000 : PLAIN_MAX), at = (size_t)rand_r(&seed) % (3 * SEGMENT - len);

		for (size_t j = 0; j < len; j++)
			reference[at + j] = (unsigned char)(rand_r(&seed) >> 8);
		memcpy(stripe_lane_data(l), reference + at, len);
		CHECK_INT(stripe_write(l, at, stripe_lane_data(l), len), 0);
	}
	for (uint64_t at = 0; at < 3 * SEGMENT; at += 999983) {
		size_t len = 3 * SEGMENT - at < PLAIN_MAX ? 3 * SEGMENT - at : PLAIN_MAX;

		CHECK_INT(stripe_read(l, at, PLAIN_MAX, &data), len);
		CHECK(memcmp(data, reference + at, len) == 0);
		check_byte(l, parts, 3, at);
	}
	CHECK_INT(stripe_read(l, 3 * SEGMENT, 1, &data), 0);
	CHECK_INT(stripe_write(l, 3 * SEGMENT - 1, reference, 2), ERR_INVALID);
	CHECK_INT(stripe_discard(s, 0, CHUNK), ERR_UNSUPPORTED);
	stripe_allow_discards(s);
	CHECK_INT(stripe_discard(s, CHUNK, 2 * CHUNK), 0);
	CHECK_INT(stripe_read(l, 0, CHUNK, &data), CHUNK);
	CHECK(memcmp(data, reference, CHUNK) == 0);
	CHECK_INT(stripe_read(l, 3 * CHUNK, CHUNK, &data), CHUNK);
	CHECK(memcmp(data, reference + 3 * CHUNK, CHUNK) == 0);
	CHECK_INT(stripe_flush(s), 0);
	stripe_lane_free(l);
	stripe_free(s);
	/* Chunks that are no whole sectors make none. */
	for (int i = 0; i < 2; i++)
		parts[i] = make_plain(4096, 1, &raw[i]);
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
	struct plain *p = make_plain(512, 1, &raw);
	struct plain_lane *lane = make_lane(p);

	memset(text, 'K', sizeof text);
	fill_with_zeros(lane);
	CHECK_INT(plain_write(lane, 100, text, sizeof text), 0);
	CHECK_INT(plain_flush(p), 0);
	CHECK_INT(pread(raw, stored, sizeof stored, 16384), sizeof stored);
	CHECK(memmem(stored, sizeof stored, "KKKKKKKK", 8) == NULL);
	CHECK(memmem(stored, sizeof stored, "\0\0\0\0\0\0\0\0", 8) == NULL);
	CHECK_INT(plain_write(lane, SEGMENT - 10, text, 11), ERR_INVALID);
	CHECK_INT(plain_write(lane, SEGMENT - 10, text, 10), 0);
	CHECK_INT(plain_read(lane, SEGMENT - 10, 100, &data), 10);
	CHECK(memcmp(data, text, 10) == 0);
	CHECK_INT(plain_read(lane, SEGMENT, 100, &data), 0);
	CHECK_INT(plain_discard(p, 0, 4096), ERR_UNSUPPORTED);
	CHECK_INT(plain_read(lane, 0, PLAIN_MAX + 1, &data), ERR_INVALID);
	plain_lane_free(lane);
	plain_free(p);
	close(raw);
}

/* A disk with larger blocks than the volume's sectors: two sectors of one block must not be written at the same time. */
TEST(blocks_of_the_disk_are_written_whole, "VOL-1,VOL-6")
{
	unsigned char text[4096], stored[2][4096];
	const unsigned char *data;
	int raw;
	struct plain *p = make_plain(512, 4096, &raw);
	struct plain_lane *lane = make_lane(p);

	CHECK_INT(plain_unit(p), 4096);
	fill_with_zeros(lane);
	CHECK_INT(pread(raw, stored[0], 4096, 16384), 4096);
	memset(text, 'K', sizeof text);
	CHECK_INT(plain_write(lane, 512, text, 512), 0);
	CHECK_INT(pread(raw, stored[1], 4096, 16384), 4096);
	CHECK(memcmp(stored[0], stored[1], 512) == 0 && memcmp(stored[0] + 1024, stored[1] + 1024, 3072) == 0);
	CHECK(memcmp(stored[0] + 512, stored[1] + 512, 512) != 0);
	CHECK_INT(plain_read(lane, 512, 512, &data), 512);
	CHECK(data[0] == 'K' && data[511] == 'K');
	plain_lane_free(lane);
	plain_free(p);
	close(raw);
}

TEST(segments_that_do_not_fit_the_disk_are_refused, "VOL-1")
{
	struct plain_segment segment = { .offset = 16384, .size = SEGMENT };
	struct backing backing = { .fd = -1, .size = SEGMENT + 16384, .block = 8192 };
	struct secret *key;
	struct plain *p;

	secret_init();
	key = secret_random(64);
	CHECK_INT(cipher_spec_parse("aes", "xts-plain64", 64, 512, 0, &segment.cipher), 0);
	CHECK_INT(plain_new(&backing, &segment, key, &p), ERR_UNSUPPORTED);
	backing.block = 4096;
	segment.offset = 16384 + 512;
	CHECK_INT(plain_new(&backing, &segment, key, &p), ERR_UNSUPPORTED);
	segment.offset = 16384;
	segment.size = 512;
	CHECK_INT(plain_new(&backing, &segment, key, &p), ERR_UNSUPPORTED);
	segment.size = SEGMENT + 7;
	CHECK_INT(plain_new(&backing, &segment, key, &p), ERR_INVALID);
	segment.size = SEGMENT + 512;
	CHECK_INT(plain_new(&backing, &segment, key, &p), 0);
	CHECK_INT(plain_size(p), SEGMENT);
	plain_free(p);
}

TEST(a_disk_that_is_full_or_has_shrunk_is_an_error, "VOL-6")
{
	struct plain_segment segment = { .size = SEGMENT };
	struct backing full = { .fd = open("/dev/full", O_RDWR | O_CLOEXEC), .size = SEGMENT, .block = 1 };
	unsigned char sector[512] = "";
	const unsigned char *data;
	struct plain_lane *lane;
	struct plain *p;
	int raw;

	secret_init();
	CHECK_INT(cipher_spec_parse("aes", "xts-plain64", 64, 512, 0, &segment.cipher), 0);
	CHECK_INT(plain_new(&full, &segment, secret_random(64), &p), 0);
	lane = make_lane(p);
	CHECK_INT(plain_write(lane, 0, sector, 512), ERR_TOO_LARGE);
	CHECK_INT(plain_write(lane, 100, sector, 7), ERR_TOO_LARGE);
	plain_lane_free(lane);
	plain_free(p);
	p = make_plain(4096, 1, &raw);
	lane = make_lane(p);
	CHECK(ftruncate(raw, 16384 + 4096 + 100) == 0);
	CHECK_INT(plain_read(lane, 0, 4096, &data), 4096);
	CHECK_INT(plain_read(lane, 0, 8192, &data), ERR_IO);
	CHECK_INT(plain_read(lane, 4096, 4096, &data), ERR_IO);
	CHECK_INT(plain_write(lane, 4096 + 10, sector, 7), ERR_IO);
	plain_lane_free(lane);
	plain_free(p);
	close(raw);
}

TEST_MAIN
