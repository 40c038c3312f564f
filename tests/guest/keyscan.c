/* keyscan.c - finds AES-256 keys in an image of a machine's memory: wherever 240 bytes are what FIPS 197's key expansion makes of
 * the first 32 of them. Prints each key once, as hex.
 *
 *     keyscan FILE */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY 32
#define WORDS 60                 /* of the expanded key */
#define FOUND_MAX 4096

static uint8_t sbox[256];

static uint8_t rotate(uint8_t x, int by)
{
	return (uint8_t)(x << by | x >> (8 - by));
}

/* FIPS 197, section 5.1.1: the inverse in GF(2^8), then an affine map; powers of 3 run through all of the field. */
static void make_sbox(void)
{
	uint8_t p = 1, q = 1;

	do {
		p = (uint8_t)(p ^ p << 1 ^ (p & 0x80 ? 0x1b : 0));
		q = (uint8_t)(q ^ q << 1);
		q = (uint8_t)(q ^ q << 2);
		q = (uint8_t)(q ^ q << 4);
		q = (uint8_t)(q ^ (q & 0x80 ? 0x09 : 0));
		sbox[p] = (uint8_t)(q ^ rotate(q, 1) ^ rotate(q, 2) ^ rotate(q, 3) ^ rotate(q, 4) ^ 0x63);
	} while (p != 1);
	sbox[0] = 0x63;
}

/* Whether the expanded key stands at AT; ends at the first word that is wrong, which is nearly always the first one. */
static int is_schedule(const uint8_t *at)
{
	uint8_t t[4], round = 1;

	for (int i = 8; i < WORDS; i++) {
		memcpy(t, at + 4 * (i - 1), 4);
		if (i % 8 == 0) {
			uint8_t first = t[0];

			t[0] = (uint8_t)(sbox[t[1]] ^ round);
			t[1] = sbox[t[2]];
			t[2] = sbox[t[3]];
			t[3] = sbox[first];
			round = (uint8_t)(round << 1);
		} else if (i % 8 == 4) {
			for (int j = 0; j < 4; j++)
				t[j] = sbox[t[j]];
		}
		for (int j = 0; j < 4; j++)
			if (at[4 * i + j] != (at[4 * (i - 8) + j] ^ t[j]))
				return 0;
	}
	return 1;
}

static void print_new(const uint8_t *key)
{
	static uint8_t found[FOUND_MAX][KEY];
	static int count;

	for (int i = 0; i < count; i++)
		if (memcmp(found[i], key, KEY) == 0)
			return;
	if (count == FOUND_MAX)
		return;
	memcpy(found[count++], key, KEY);
	for (int i = 0; i < KEY; i++)
		printf("%02x", key[i]);
	putchar('\n');
}

int main(int argc, char **argv)
{
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	const uint8_t *data;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return 1;
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return 1;
	make_sbox();
	for (size_t at = 0; at + 4 * WORDS <= (size_t)st.st_size; at += 4)
		if (is_schedule(data + at))
			print_new(data + at);
	return 0;
}
