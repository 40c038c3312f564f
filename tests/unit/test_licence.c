/* test_licence.c - activation codes and warnings, without a server. */
#include "check.h"

#include <sodium.h>

#include "base/err.h"
#include "base/licence.h"
#include "base/secret.h"

static struct licence sample(void)
{
	struct licence l = { .kind = LICENCE_FULL, .serial = 7, .keys = 250, .issued = 1000 * CLOCK_SECOND, .until = 2000000000 * CLOCK_SECOND };

	for (int i = 0; i < 16; i++) {
		l.installation.bytes[i] = (uint8_t)i;
		l.account.bytes[i] = (uint8_t)(16 + i);
	}
	return l;
}

static char *make(const struct licence *l, uint8_t public_key[static LICENCE_PUBLIC_SIZE], uint8_t signature[static LICENCE_SIGNATURE_SIZE])
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES], seed[crypto_sign_SEEDBYTES] = { 9 };
	struct buf text = BUF_INIT;

	crypto_sign_seed_keypair(public_key, secret, seed);
	licence_signed(l, &text);
	crypto_sign_detached(signature, NULL, (const uint8_t *)text.data, text.len, secret);
	buf_free(&text);
	return licence_text(l, signature);
}

TEST(code_there_and_back, "LIC-1")
{
	uint8_t public_key[LICENCE_PUBLIC_SIZE], signature[LICENCE_SIGNATURE_SIZE], got[LICENCE_SIGNATURE_SIZE];
	struct licence l = sample(), r;
	char *text, broken[LICENCE_TEXT_MAX * 2];

	secret_init();
	text = make(&l, public_key, signature);
	/* The vector of docs/licences.md. */
	CHECK_STR(text, "KWL1.AQIAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHwAAAAcAAAD6AAAAAAAAA-gAAAAAdzWUAEWAhoXpSV_LusLxVz9_wT6B4RPUdWrYEyAt2WESyOpvbgNUkF2u2GMErVzVFefQYe_eNl-xn3bmkDnIXbfmXQQ");
	CHECK_INT(licence_read(text, &r, got), 0);
	CHECK(memcmp(got, signature, sizeof got) == 0 && licence_is_signed(&r, got, public_key));
	CHECK_INT(r.serial, 7);
	CHECK_INT(r.keys, 250);
	CHECK(uuid_equal(&r.account, &l.account) && r.until == l.until);
	snprintf(broken, sizeof broken, " \n%.20s\r\n\t%s ", text, text + 20);
	CHECK_INT(licence_read(broken, &r, got), 0);
	r.keys++;
	CHECK(!licence_is_signed(&r, got, public_key));
	public_key[0] ^= 1;
	CHECK(!licence_is_signed(&l, signature, public_key));
	free(text);
}

TEST(what_is_no_code, "LIC-1, SEC-5")
{
	static const char *const texts[] = { "", "KWL1.", "KWL1.AA", "KWL", "kwl1.AAAA", "KWL1.====", "KWL0.AAAA", "x" };
	uint8_t signature[LICENCE_SIGNATURE_SIZE], public_key[LICENCE_PUBLIC_SIZE];
	char longest[LICENCE_TEXT_MAX + 100], *text;
	struct licence l = sample(), r;

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		CHECK_INT(licence_read(texts[i], &r, signature), ERR_INVALID);
	CHECK_INT(licence_read("KWL2.AAAA", &r, signature), ERR_VERSION);
	memset(longest, 'A', sizeof longest);
	memcpy(longest, "KWL1.", 5);
	longest[sizeof longest - 1] = '\0';
	CHECK_INT(licence_read(longest, &r, signature), ERR_INVALID);
	l.serial = 0;
	text = make(&l, public_key, signature);
	CHECK_INT(licence_read(text, &r, signature), ERR_INVALID);
	free(text);
	l = sample();
	l.keys = LICENCE_KEYS_MAX + 1;
	text = make(&l, public_key, signature);
	CHECK_INT(licence_read(text, &r, signature), ERR_INVALID);
	free(text);
}

TEST(judgement_of_a_code, "LIC-1")
{
	struct licence l = sample();
	struct uuid other = { { 1 } };
	clock_us now = 1500000000 * CLOCK_SECOND;

	CHECK_INT(licence_judge(&l, 1, &l.installation, &l.account, 6, 0, now), LICENCE_FAULT_NONE);
	CHECK_INT(licence_judge(&l, 1, &other, &l.account, 6, 0, now), LICENCE_FAULT_FOREIGN);
	CHECK_INT(licence_judge(&l, 0, &l.installation, &l.account, 6, 0, now), LICENCE_FAULT_BAD);
	CHECK_INT(licence_judge(&l, 1, &l.installation, &other, 6, 0, now), LICENCE_FAULT_OTHER);
	CHECK_INT(licence_judge(&l, 1, &l.installation, &l.account, 7, 1, now), LICENCE_FAULT_SAME);
	CHECK_INT(licence_judge(&l, 1, &l.installation, &l.account, 9, 1, now), LICENCE_FAULT_REPLACED);
	CHECK_INT(licence_judge(&l, 1, &l.installation, &l.account, 9, 0, now), LICENCE_FAULT_OLDER);
	CHECK_INT(licence_judge(&l, 1, &l.installation, &l.account, 6, 0, l.until), LICENCE_FAULT_EXPIRED);
	CHECK_INT(licence_judge(&l, 1, &l.installation, &l.account, 6, 0, l.until - 1), LICENCE_FAULT_NONE);
}

TEST(refusal_at_the_limit, "LIC-3")
{
	struct licence_state s = { .has = 1, .keys = 10, .used = 8, .pending = 1, .until = 100 };

	CHECK(licence_refusal(&s, 1, 99) == NULL);
	CHECK(strstr(licence_refusal(&s, 2, 99), "no key left"));
	CHECK(strstr(licence_refusal(&s, 1, 100), "has ended"));
	s.has = 0;
	CHECK(strstr(licence_refusal(&s, 1, 99), "no licence"));
	CHECK_INT(licence_warn(&s), LICENCE_WARNING_MISSING);
	s = (struct licence_state){ .has = 1, .level_keys = 1, .level_end = 2 };
	CHECK_INT(licence_warn(&s), LICENCE_WARNING_DAYS_7);
	s.level_keys = 3;
	CHECK_INT(licence_warn(&s), LICENCE_WARNING_FULL);
	s.level_end = 4;
	CHECK_INT(licence_warn(&s), LICENCE_WARNING_ENDED);
}

TEST_MAIN
