/* test_identity.c - passwords, tokens, the permission table's fixed points, settings of a directory. */
#include "check.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/json.h"
#include "identity/certificate.h"
#include "identity/directory.h"
#include "identity/password.h"
#include "identity/permission.h"
#include "identity/token.h"
#include "identity/totp.h"

TEST(password_rules, "IDN-1")
{
	char longest[PASSWORD_MOST + 2];

	CHECK_INT(password_check("Aa1!aaaa"), 0);
	CHECK_INT(password_check("Aa1!aaa"), ERR_INVALID);
	CHECK_INT(password_check("aa1!aaaa"), ERR_INVALID);
	CHECK_INT(password_check("AA1!AAAA"), ERR_INVALID);
	CHECK_INT(password_check("Aab!aaaa"), ERR_INVALID);
	CHECK_INT(password_check("Aa1aaaaa"), ERR_INVALID);
	CHECK_INT(password_check("Aa1!aaa\n"), ERR_INVALID);
	/* Eight characters, not eight bytes. */
	CHECK_INT(password_check("Aa1\xc3\xa4\xc3\xb6\xc3\xbc"), ERR_INVALID);
	CHECK_INT(password_check("Aa1\xc3\xa4\xc3\xb6\xc3\xbcxx"), 0);
	memset(longest, 'a', sizeof longest);
	memcpy(longest, "Aa1!", 4);
	longest[PASSWORD_MOST] = '\0';
	CHECK_INT(password_check(longest), 0);
	longest[PASSWORD_MOST] = 'a';
	longest[PASSWORD_MOST + 1] = '\0';
	CHECK_INT(password_check(longest), ERR_INVALID);
}

TEST(passwords_that_everybody_tries, "IDN-1")
{
	static const char *const bad[] = { "Password1!", "P@ssw0rd2026", "Qwerty-123", "Welcome!2026", "1!Summer1", "Ursula-2026!", "Ackermann1!",
		"U.ackermann1", "Tenant#123" };
	static const char *const good[] = { "Correct-horse-7", "Lantern & Harbour 5", "Ursula-walks-9", "Xk7!xK7!" };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK_INT(password_check_own(bad[i], "Ursula Ackermann", "u.ackermann@tenant.example"), ERR_INVALID);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		CHECK_INT(password_check_own(good[i], "Ursula Ackermann", "u.ackermann@tenant.example"), 0);
	CHECK_INT(password_check_own("short", "", ""), ERR_INVALID);
}

TEST(password_hash_and_verify, "IDN-1,SEC-4")
{
	char hash[PASSWORD_HASH_SIZE];

	secret_init();
	CHECK_INT(password_hash("Aa1!aaaa", hash), 0);
	CHECK(strncmp(hash, "$argon2id$", 10) == 0);
	CHECK_INT(password_verify(hash, "Aa1!aaaa"), 1);
	CHECK_INT(password_verify(hash, "Aa1!aaab"), 0);
	CHECK_INT(password_verify(NULL, "Aa1!aaaa"), 0);
	CHECK_INT(password_verify("", ""), 0);
}

TEST(tokens_are_random_and_hashed, "IDN-6,SEC-4")
{
	char a[TOKEN_TEXT_SIZE], b[TOKEN_TEXT_SIZE], code[TOKEN_CODE_SIZE];
	uint8_t ha[TOKEN_HASH_SIZE], hb[TOKEN_HASH_SIZE];

	token_new(a);
	token_new(b);
	CHECK_INT(strlen(a), 43);
	CHECK(!token_equal(a, b));
	CHECK(token_equal(a, a));
	CHECK(!token_equal(a, "short"));
	token_hash(a, ha);
	token_hash(b, hb);
	CHECK(memcmp(ha, hb, sizeof ha) != 0);
	token_code(code);
	CHECK_INT(strlen(code), 23);
	CHECK(code[5] == '-' && strpbrk(code, "01IO") == NULL);
}

/* What the roles' definitions say in words, held against the table. */
TEST(roles_as_written, "ROL-1,ROL-2,ROL-3,ROL-4,ROL-5,ROL-7,TEN-2,TEN-3")
{
	CHECK(!role_may(ROLE_ACCOUNT_ADMINISTRATOR, PERMISSION_LOGS_DELETE));
	CHECK(!role_may(ROLE_ACCOUNT_ADMINISTRATOR, PERMISSION_KEYS_EXPORT));
	CHECK(!role_may(ROLE_ACCOUNT_ADMINISTRATOR, PERMISSION_REPORTS_KEYS));
	CHECK(role_may(ROLE_ACCOUNT_ADMINISTRATOR, PERMISSION_USERS_EDIT));
	CHECK(role_may(ROLE_SECURITY_ADMINISTRATOR, PERMISSION_KEYS_EXPORT));
	CHECK(!role_may(ROLE_SECURITY_ADMINISTRATOR, PERMISSION_REQUESTS_DECIDE));
	CHECK(role_may(ROLE_DATA_ANALYST, PERMISSION_LOGS_VIEW));
	CHECK(!role_may(ROLE_DATA_ANALYST, PERMISSION_DEVICES_VIEW));
	CHECK(role_may(ROLE_AUDITOR, PERMISSION_LOGS_DELETE));
	CHECK(!role_may(ROLE_AUDITOR, PERMISSION_DEVICES_EDIT));
	CHECK(role_may(ROLE_KEY_APPROVER, PERMISSION_REQUESTS_DECIDE));
	CHECK(!role_may(ROLE_KEY_APPROVER, PERMISSION_LOGS_VIEW));
	for (int p = PERMISSION_SIGNED_IN + 1; p < PERMISSION_COUNT; p++) {
		for (int r = ROLE_NONE; r < ROLE_COUNT; r++)
			CHECK(!role_may(r, p) || role_is_operator(r) == permission_is_operator(p));
		CHECK(!role_may(ROLE_NONE, p));
	}
	CHECK(role_may(ROLE_NONE, PERMISSION_PUBLIC));
	CHECK(!role_may(ROLE_NONE, PERMISSION_SIGNED_IN));
}

TEST(role_names_are_of_one_side, "ROL-7")
{
	enum role r;

	CHECK_INT(role_parse("auditor", 0, &r), 0);
	CHECK_INT(r, ROLE_AUDITOR);
	CHECK_INT(role_parse("auditor", 1, &r), 0);
	CHECK_INT(r, ROLE_OPERATOR_AUDITOR);
	CHECK_INT(role_parse("msp-administrator", 0, &r), ERR_INVALID);
	CHECK_INT(role_parse("", 0, &r), ERR_INVALID);
}

TEST(a_directorys_address, "IDN-2")
{
	static const struct { const char *url, *host; int port, tls; } good[] = {
		{ "ldap://a.example", "a.example", 389, 0 }, { "ldaps://a.example", "a.example", 636, 1 }, { "ldaps://a.example:3269/", "a.example", 3269, 1 },
		{ "ldap://10.0.0.1:1389", "10.0.0.1", 1389, 0 }, { "ldap://[::1]:65535", "::1", 65535, 0 },
	};
	static const char *const bad[] = { "", "ldap:", "ldap://", "http://a", "a.example", "ldapi:///", "ldap://a:0", "ldap://a:65536", "ldap://a:", "ldap://a:x",
		"ldap://a: 1", "ldap://a:+1", "ldap://a/dc=x", "ldap://a?x", "ldap://u@a", "ldap://[::1", "ldap://a b", "ldaps://a\n", "LDAP://a" };
	struct directory_server s;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		CHECK_INT(directory_server(good[i].url, &s), 0);
		CHECK_STR(s.host, good[i].host);
		CHECK_INT(s.port, good[i].port);
		CHECK_INT(s.tls, good[i].tls);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK_INT(directory_server(bad[i], &s), ERR_INVALID);
}

static json_t *settings(const char *roles, const char *otherwise)
{
	json_t *s = directory_preset("active-directory");

	json_object_set_new(s, "servers", json_pack("[s]", "ldaps://dc.example"));
	json_set_string(s, "base", "dc=example");
	json_set_string(s, "otherwise", otherwise);
	json_object_set_new(s, "roles", json_loads(roles, 0, NULL));
	return s;
}

TEST(role_by_group_is_by_id_and_by_order, "IDN-2,SEC-7")
{
	json_t *s = settings("[{\"group\":\"g2\",\"name\":\"cn=two\",\"role\":\"auditor\"},{\"group\":\"g1\",\"name\":\"cn=one\",\"role\":\"key-approver\"}]", "");
	json_t *both = json_loads("[{\"id\":\"g1\",\"dn\":\"cn=one\"},{\"id\":\"g2\",\"dn\":\"cn=two\"}]", 0, NULL);
	json_t *same_name = json_loads("[{\"id\":\"g9\",\"dn\":\"cn=one\"},{\"dn\":\"g1\"},7]", 0, NULL);
	const json_t *by;
	struct directory d;

	CHECK_INT(directory_read(s, &d, NULL), 0);
	CHECK_STR(directory_role(&d, both, &by), "auditor");
	CHECK_STR(json_string_value(json_object_get(by, "name")), "cn=two");
	CHECK_STR(directory_role(&d, same_name, &by), "");
	CHECK(by == NULL);
	CHECK_STR(directory_role(&d, NULL, NULL), "");
	json_decref(s);
	s = settings("[]", "data-analyst");
	CHECK_INT(directory_read(s, &d, NULL), 0);
	CHECK_STR(directory_role(&d, both, NULL), "data-analyst");
	json_decref(s);
	json_decref(both);
	json_decref(same_name);
}

TEST(settings_of_a_directory_say_what_is_wrong, "IDN-2")
{
	static const struct { const char *member, *value; } bad[] = { { "filter", "(uid=*)" }, { "filter", "(uid={login}" }, { "filter", "(uid={login}))(" },
		{ "base", "example" }, { "id", "a b" }, { "id", "" }, { "mail", "mail)(x=*" }, { "ca", "x" }, { "group_filter", "x" }, { "nesting", "deep" } };
	const char *member;
	struct directory d;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		json_t *s = settings("[]", "");

		CHECK_INT(directory_read(s, &d, &member), 0);
		json_set_string(s, bad[i].member, bad[i].value);
		CHECK_INT(directory_read(s, &d, &member), ERR_INVALID);
		CHECK_STR(member, bad[i].member);
		json_decref(s);
	}
}

/* RFC 6238, appendix B, for SHA-1; the codes of six digits are the last six of eight. */
TEST(codes_by_the_clock, "IDN-5")
{
	static const struct {
		int64_t at;
		const char *code;
	} vectors[] = { { 59, "287082" }, { 1111111109, "081804" }, { 1111111111, "050471" }, { 1234567890, "005924" }, { 2000000000, "279037" },
		{ 20000000000, "353130" } };
	struct secret *s = secret_new(TOTP_SECRET_SIZE), *address = NULL;
	char text[TOTP_TEXT_SIZE];
	int64_t step = 0;

	memcpy(s->data, "12345678901234567890", TOTP_SECRET_SIZE);
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		clock_us at = vectors[i].at * CLOCK_SECOND;

		CHECK_INT(totp_check(s, vectors[i].code, at, 0, &step), 1);
		CHECK_INT(step, vectors[i].at / 30);
		/* One step early or late, no more. */
		CHECK_INT(totp_check(s, vectors[i].code, at + TOTP_STEP, 0, &step), 1);
		CHECK_INT(step, vectors[i].at / 30);
		CHECK_INT(totp_check(s, vectors[i].code, at + 2 * TOTP_STEP, 0, &step), 0);
		/* Not again, and none before it. */
		CHECK_INT(totp_check(s, vectors[i].code, at, vectors[i].at / 30, &step), 0);
		CHECK_INT(totp_check(s, vectors[i].code, at, vectors[i].at / 30 + 1, &step), 0);
	}
	CHECK_INT(totp_check(s, "287 082", 59 * CLOCK_SECOND, 0, &step), 1);
	CHECK_INT(totp_check(s, " 287\xc2\xa0" "082\t", 59 * CLOCK_SECOND, 0, &step), 1);
	CHECK_INT(totp_check(s, "287-\xc2" "082", 59 * CLOCK_SECOND, 0, &step), 0);
	CHECK_INT(totp_check(s, "28708", 59 * CLOCK_SECOND, 0, &step), 0);
	CHECK_INT(totp_check(s, "2870822", 59 * CLOCK_SECOND, 0, &step), 0);
	CHECK_INT(totp_check(s, "28708x", 59 * CLOCK_SECOND, 0, &step), 0);
	CHECK_INT(totp_check(s, "", 59 * CLOCK_SECOND, 0, &step), 0);
	CHECK_INT(totp_text(s, text), 0);
	CHECK_STR(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
	CHECK_INT(totp_address(s, "Keyward A&B", "\xc3\xa4@x.example", &address), 0);
	CHECK_STR((const char *)address->data, "otpauth://totp/Keyward%20A%26B:%C3%A4@x.example?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
		"&issuer=Keyward%20A%26B");
	secret_free(address);
	/* Apps take what follows the first colon for the account, encoded or not. */
	CHECK_INT(totp_address(s, "MSP: Vault 100%", "b:@x.example", &address), 0);
	CHECK_STR((const char *)address->data, "otpauth://totp/MSP%20Vault%20100%25:b@x.example?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
		"&issuer=MSP%20Vault%20100%25");
	secret_free(address);
	secret_free(s);
}

TEST(recovery_codes_as_people_type_them, "IDN-5")
{
	uint8_t a[TOTP_CODE_HASH], b[TOTP_CODE_HASH];

	CHECK_INT(totp_recovery_hash("7KQM2-ABCDE-FGHJK-23456", a), 1);
	CHECK_INT(totp_recovery_hash("7kqm2 abcde fghjk 23456", b), 1);
	CHECK(memcmp(a, b, sizeof a) == 0);
	CHECK_INT(totp_recovery_hash("7kqm2abcdefghjk23457", b), 1);
	CHECK(memcmp(a, b, sizeof a) != 0);
	CHECK_INT(totp_recovery_hash("7KQM2-ABCDE-FGHJK-2345", b), 0);
	CHECK_INT(totp_recovery_hash("7KQM2-ABCDE-FGHJK-234567", b), 0);
	CHECK_INT(totp_recovery_hash("7KQM2-ABCDE-FGHJK-2345_", b), 0);
	CHECK_INT(totp_recovery_hash("", b), 0);
}

TEST(certificates_as_people_paste_them, "SEC-5,IDN-2,IDN-3")
{
	static const struct { const char *fmt; enum certificate_fault fault; } cases[] = {
		{ "%s", CERTIFICATE_GOOD }, { "%s%s", CERTIFICATE_GOOD }, { "subject=CN = x\n%s", CERTIFICATE_GOOD },
		{ "", CERTIFICATE_NONE }, { "Hello", CERTIFICATE_NONE }, { "%.300s", CERTIFICATE_BROKEN }, { "%s%.300s", CERTIFICATE_BROKEN },
		{ "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", CERTIFICATE_BROKEN },
		{ "%s-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n", CERTIFICATE_PRIVATE },
		{ "-----BEGIN RSA PRIVATE KEY-----\nMIIB", CERTIFICATE_PRIVATE },
		{ "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n%s", CERTIFICATE_OTHER },
	};
	struct buf pem = BUF_INIT, odd = BUF_INIT;
	char *out = NULL;

	CHECK(file_read(SOURCE_ROOT "/tests/fuzz/corpus/certificate/names.pem", 65536, &pem) == 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
		char *text = mem_printf(cases[i].fmt, buf_str(&pem), buf_str(&pem));
#pragma GCC diagnostic pop

		CHECK_INT(certificate_tidy(text, &out), cases[i].fault);
		if (cases[i].fault == CERTIFICATE_GOOD) {
			CHECK_STR(out, text);
			free(out);
		}
		free(text);
	}
	/* Out of a mail, or a terminal: indented, with CR LF and empty lines. */
	for (const char *s = buf_str(&pem); *s; s++)
		buf_printf(&odd, *s == '\n' ? " \r\n\r\n\t  " : "%c", *s);
	CHECK_INT(certificate_tidy(buf_str(&odd), &out), CERTIFICATE_GOOD);
	CHECK_STR(out, buf_str(&pem));
	free(out);
	buf_free(&pem);
	buf_free(&odd);
}

TEST_MAIN
