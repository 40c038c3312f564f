/* test_kmip.c - KMIP: the encoding against the standard's examples, messages against those of PyKMIP, and the client against a
 * running PyKMIP server. */
#include "base/encode.h"
#include "base/file.h"
#include "base/mem.h"
#include "keys/blob.h"
#include "keys/kmip.h"
#include "keys/message.h"
#include "keys/ttlv.h"

#include "check.h"
#include "kmip_server.h"

#define LIMIT_MS 20000

static struct wire_view view(const struct buf *b)
{
	return (struct wire_view){ (const uint8_t *)b->data, b->len };
}

static void check_hex(const struct buf *b, const char *want)
{
	char *got = encode_hex(b->data, b->len);

	CHECK_STR(got, want);
	free(got);
}

/* KMIP 1.4, 9.1.2: the examples for types that we write. */
TEST(items_are_encoded_as_in_the_standard, "KEY-2")
{
	struct buf b = BUF_INIT;
	size_t at;

	ttlv_put_integer(&b, 0x420020, 8);
	check_hex(&b, "42002002000000040000000800000000");
	buf_reset(&b);
	ttlv_put_enumeration(&b, 0x420020, 255);
	check_hex(&b, "4200200500000004000000ff00000000");
	buf_reset(&b);
	ttlv_put_text(&b, 0x420020, "Hello World");
	check_hex(&b, "420020070000000b48656c6c6f20576f726c640000000000");
	buf_reset(&b);
	ttlv_put_bytes(&b, 0x420020, "\1\2\3", 3);
	check_hex(&b, "42002008000000030102030000000000");
	buf_reset(&b);
	at = ttlv_open(&b, 0x420020);
	ttlv_put_enumeration(&b, 0x420004, 254);
	ttlv_put_integer(&b, 0x420005, 255);
	ttlv_close(&b, at);
	check_hex(&b, "42002001000000204200040500000004000000fe000000004200050200000004000000ff00000000");
	CHECK_INT(ttlv_check((uint8_t *)b.data, b.len), 0);
	buf_free(&b);
}

static int check_text(const char *hex)
{
	struct buf b = BUF_INIT;
	int rc;

	CHECK_INT(decode_hex(hex, &b), 0);
	rc = ttlv_check((uint8_t *)b.data, b.len);
	buf_free(&b);
	return rc;
}

TEST(items_that_break_the_encoding_are_refused, "KEY-2,SEC-5")
{
	struct buf b = BUF_INIT;

	/* the standard's examples of types that we only read: long, big, true, date, interval */
	CHECK_INT(check_text("420020030000000801b69b4ba5749200"), 0);
	CHECK_INT(check_text("42002004000000100000000003fd35eb6bc2df4618080000"), 0);
	CHECK_INT(check_text("42002006000000080000000000000001"), 0);
	CHECK_INT(check_text("42002009000000080000000047da67f8"), 0);
	CHECK_INT(check_text("4200200a00000004000d2f0000000000"), 0);
	CHECK_INT(check_text(""), ERR_TRUNCATED);
	CHECK_INT(check_text("42002002000000"), ERR_TRUNCATED);
	CHECK_INT(check_text("420020020000000400000008"), ERR_TRUNCATED);
	CHECK_INT(check_text("4200200200000008000000080000000000000000"), ERR_INVALID);
	CHECK_INT(check_text("42002002000000040000000800000000ff"), ERR_INVALID);
	CHECK_INT(check_text("42002000000000040000000800000000"), ERR_INVALID);
	CHECK_INT(check_text("42002001000000044200200200000000"), ERR_INVALID);
	CHECK_INT(check_text("42002008ffffffff0000000800000000"), ERR_TRUNCATED);
	CHECK_INT(check_text("4200200700000003410042000000000000"), ERR_INVALID);
	CHECK_INT(check_text("42002007000000034100420000000000"), ERR_INVALID);
	for (int depth = 0; depth < 20; depth++)
		buf_printf(&b, "42002001%08x", 8 * (19 - depth));
	CHECK_INT(check_text(buf_str(&b)), ERR_TOO_LARGE);
	buf_reset(&b);
	buf_printf(&b, "42002001%08x", 16 * 5000);
	for (int i = 0; i < 5000; i++)
		buf_puts(&b, "42002002000000040000000800000000");
	CHECK_INT(check_text(buf_str(&b)), ERR_TOO_LARGE);
	buf_free(&b);
}

/* The bytes of NAME in tests/vectors/kmip.txt, as text; the caller frees. */
static char *vector(const char *name)
{
	struct buf all = BUF_INIT, want = BUF_INIT;
	char *at, *out = NULL;

	CHECK_INT(file_read(SOURCE_ROOT "/tests/vectors/kmip.txt", 1 << 20, &all), 0);
	buf_printf(&want, "\n%s ", name);
	at = strstr(buf_str(&all), buf_str(&want));
	if (at == NULL)
		fatal("no vector %s", name);
	at += want.len;
	out = mem_dup(at, strcspn(at, "\n"));
	buf_free(&all);
	buf_free(&want);
	return out;
}

static void same(const struct buf *b, const char *name)
{
	char *want = vector(name);

	check_hex(b, want);
	free(want);
}

static struct secret *counted(size_t len)
{
	struct secret *s = secret_new(len);

	for (size_t i = 0; i < len; i++)
		s->data[i] = (uint8_t)i;
	return s;
}

TEST(requests_are_those_of_another_implementation, "KEY-2")
{
	const struct kmip_version v12 = { 1, 2 }, v13 = { 1, 3 }, v14 = { 1, 4 }, v20 = { 2, 0 };
	const uint8_t nonce[12] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 }, tag[16] = { 0 };
	const struct kmip_gcm gcm = { "7", { nonce, 12 }, { (const uint8_t *)"hello", 5 }, { (const uint8_t *)"aad", 3 }, { tag, 16 } };
	struct buf b = BUF_INIT;
	unsigned use = KMIP_USE_ENCRYPT | KMIP_USE_DECRYPT;

	kmip_put_create(&b, v12, "keyward-root", use);
	same(&b, "create_1_2");
	kmip_put_create(&b, v20, "keyward-root", use);
	same(&b, "create_2_0");
	kmip_put_locate(&b, v12, "keyward-root");
	same(&b, "locate_1_2");
	kmip_put_locate(&b, v20, "keyward-root");
	same(&b, "locate_2_0");
	kmip_put_gcm(&b, v14, KMIP_ENCRYPT, &gcm);
	same(&b, "encrypt");
	kmip_put_gcm(&b, v20, KMIP_DECRYPT, &gcm);
	same(&b, "decrypt");
	kmip_put_plain(&b, v12, KMIP_GET, "7");
	same(&b, "get");
	kmip_put_plain(&b, v13, KMIP_ACTIVATE, "7");
	same(&b, "activate");
	kmip_put_revoke(&b, v14, "7", KMIP_CESSATION);
	same(&b, "revoke");
	kmip_put_query(&b, v20);
	same(&b, "query");
	kmip_put_discover(&b, v12);
	same(&b, "discover");
	message_wipe(&b);
	buf_free(&b);
}

/* The payload lends OUT. */
static int answer(const char *name, enum kmip_operation op, struct buf *out, struct wire_view *payload)
{
	char *text = vector(name);

	buf_reset(out);
	CHECK_INT(decode_hex(text, out), 0);
	free(text);
	return kmip_answer(out, op, payload);
}

TEST(answers_of_another_implementation_are_read, "KEY-2")
{
	struct buf b = BUF_INIT;
	struct wire_view payload, data, tag;
	struct secret *key = NULL, *want;
	struct kmip_version v = { 0, 0 };
	char vendor[KMIP_VENDOR_MAX + 1], ids[KMIP_IDS_MAX][KMIP_ID_MAX + 1];
	size_t count = 0;
	int can_encrypt = 0;

	secret_init();
	want = counted(32);
	CHECK_INT(answer("answer_get", KMIP_GET, &b, &payload), 0);
	CHECK_INT(kmip_get_key(payload, &key), 0);
	CHECK(key && secret_equal(key, want));
	CHECK_INT(answer("answer_get", KMIP_CREATE, &b, &payload), ERR_INVALID);
	CHECK_INT(answer("answer_refused", KMIP_GET, &b, &payload), ERR_NOT_FOUND);
	CHECK_STR(err_text(), "the key server refuses: it has no such object: Could not locate object: 7");
	CHECK_INT(answer("answer_encrypt", KMIP_ENCRYPT, &b, &payload), 0);
	CHECK_INT(kmip_get_data(payload, &data), 0);
	CHECK(data.len == 5 && memcmp(data.data, "olleh", 5) == 0);
	CHECK_INT(kmip_get_tag(payload, &tag), 0);
	CHECK_INT(tag.len, 16);
	CHECK_INT(answer("answer_query", KMIP_QUERY, &b, &payload), 0);
	CHECK_INT(kmip_get_query(payload, vendor, &can_encrypt), 0);
	CHECK(can_encrypt && strcmp(vendor, "PyKMIP") == 0);
	CHECK_INT(answer("answer_discover", KMIP_DISCOVER, &b, &payload), 0);
	CHECK_INT(kmip_get_version(payload, &v), 0);
	CHECK(v.major == 1 && v.minor == 4);
	CHECK_INT(answer("answer_locate", KMIP_LOCATE, &b, &payload), 0);
	CHECK_INT(kmip_get_ids(payload, ids, &count), 0);
	CHECK(count == 2 && strcmp(ids[0], "7") == 0 && strcmp(ids[1], "12") == 0);
	secret_free(key);
	secret_free(want);
	buf_free(&b);
}

/* The running server */

static char *read_pem(const char *name)
{
	struct buf b = BUF_INIT;
	char path[128];

	snprintf(path, sizeof path, "%s/%s", kmip_folder, name);
	CHECK_INT(file_read(path, KMIP_PEM_MAX, &b), 0);
	return buf_take(&b);
}

static struct kmip_settings settings_as(const char *client)
{
	struct kmip_settings s = { .host = mem_strdup("127.0.0.1"), .port = kmip_port, .local = 1 };
	char name[64], *key;

	s.ca = read_pem("ca.crt");
	snprintf(name, sizeof name, "%s.crt", client);
	s.certificate = read_pem(name);
	snprintf(name, sizeof name, "%s.key", client);
	key = read_pem(name);
	s.key = secret_take(key, strlen(key));
	free(key);
	return s;
}

TEST(a_key_is_created_used_and_destroyed_on_a_server, "KEY-2,KEY-3")
{
	static const uint8_t nonce[BLOB_NONCE_SIZE] = { 1, 2, 3 };
	const struct wire_view aad = { (const uint8_t *)"bound", 5 }, other = { (const uint8_t *)"wrong", 5 };
	struct kmip_settings s;
	struct kmip_facts facts;
	struct kmip *k = NULL;
	struct secret *plain, *again = NULL, *key = NULL, *other_key = NULL;
	struct buf sealed = BUF_INIT;
	char id[KMIP_ID_MAX + 1], found[KMIP_ID_MAX + 1], second[KMIP_ID_MAX + 1];
	unsigned use = KMIP_USE_ENCRYPT | KMIP_USE_DECRYPT;

	secret_init();
	kmip_begin();
	s = settings_as("client");
	plain = counted(48);
	CHECK_INT(kmip_settings_check(&s), 0);
	CHECK_INT(kmip_open(&s, LIMIT_MS, &k), 0);
	if (k == NULL)
		fatal("%s", err_text());
	CHECK_INT(kmip_describe(k, &facts), 0);
	CHECK(facts.version.major == 2 && facts.version.minor == 0 && facts.can_gcm);
	CHECK(strstr(facts.vendor, "PyKMIP") != NULL);
	CHECK_INT(kmip_locate(k, "one", found), ERR_NOT_FOUND);
	CHECK_INT(kmip_create(k, "one", use, id), 0);
	CHECK_INT(kmip_locate(k, "one", found), 0);
	CHECK_STR(found, id);
	CHECK(kmip_encrypt(k, id, nonce, aad, plain, &sealed) < 0);          /* not active yet */
	CHECK_INT(kmip_activate(k, id), 0);
	CHECK_INT(kmip_encrypt(k, id, nonce, aad, plain, &sealed), 0);
	CHECK_INT(sealed.len, 48 + BLOB_TAG_SIZE);
	CHECK_INT(kmip_decrypt(k, id, nonce, aad, view(&sealed), &again), 0);
	CHECK(again && secret_equal(again, plain));
	secret_free(again);
	again = NULL;
	CHECK(kmip_decrypt(k, id, nonce, other, view(&sealed), &again) < 0 && again == NULL);
	CHECK_INT(kmip_get(k, id, &key), 0);
	CHECK_INT(key ? (long long)key->len : 0, 32);
	/* Another is another key, and of two that have one name neither is meant. */
	CHECK_INT(kmip_create(k, "two", use, second), 0);
	CHECK_INT(kmip_get(k, second, &other_key), 0);
	CHECK(key && other_key && !secret_equal(key, other_key));
	CHECK_INT(kmip_create(k, "two", use, second), 0);
	CHECK_INT(kmip_locate(k, "two", found), ERR_CONFLICT);
	CHECK(kmip_destroy(k, id) < 0);              /* active still */
	CHECK_INT(kmip_revoke(k, id), 0);
	CHECK_INT(kmip_destroy(k, id), 0);
	secret_free(key);
	key = NULL;
	CHECK_INT(kmip_get(k, id, &key), ERR_NOT_FOUND);
	CHECK(!kmip_is_broken(k));
	kmip_stop();
	CHECK(kmip_describe(k, &facts) < 0 && kmip_is_broken(k));
	kmip_close(k);
	secret_free(plain);
	secret_free(other_key);
	buf_free(&sealed);
	kmip_settings_free(&s);
	kmip_end();
}

/* A server that nobody vouches for, or for another name; a client that the server does not know; nobody there; a server that is silent. */
TEST(only_the_right_server_and_client_speak, "KEY-2,KEY-3,SEC-7")
{
	struct kmip_settings s;
	struct kmip *k = NULL;
	char *right;

	secret_init();
	kmip_begin();
	s = settings_as("client");
	right = s.ca;
	kmip_shell("cd %s && openssl req -x509 " KMIP_KEY " -days 30 -subj /CN=other-ca -keyout o.key -out o.crt 2>>out", kmip_folder);
	s.ca = read_pem("o.crt");
	CHECK_INT(kmip_open(&s, LIMIT_MS, &k), ERR_CRYPTO);
	CHECK(strstr(err_text(), "certificate") != NULL);
	free(s.ca);
	s.ca = right;
	free(s.host);
	s.host = mem_strdup("127.0.0.2");            /* reaches the same machine, but is not in the certificate; the server listens on .1 */
	CHECK(kmip_open(&s, LIMIT_MS, &k) < 0);
	free(s.host);
	s.host = mem_strdup("localhost");
	CHECK_INT(kmip_open(&s, LIMIT_MS, &k), 0);
	kmip_close(k);
	k = NULL;
	s.local = 0;
	CHECK_INT(kmip_open(&s, LIMIT_MS, &k), ERR_FORBIDDEN);
	s.local = 1;
	/* Another key than the certificate's; a certificate of another authority. */
	secret_free(s.key);
	right = read_pem("o.key");
	s.key = secret_take(right, strlen(right));
	free(right);
	CHECK_INT(kmip_settings_check(&s), ERR_INVALID);
	free(s.certificate);
	s.certificate = read_pem("o.crt");
	CHECK_INT(kmip_settings_check(&s), 0);
	CHECK(kmip_open(&s, LIMIT_MS, &k) < 0);
	kmip_settings_free(&s);
	s = settings_as("client");
	kill(-kmip_pid, SIGSTOP);
	CHECK_INT(kmip_open(&s, 500, &k), ERR_TIMEOUT);
	kmip_stop();
	CHECK_INT(kmip_open(&s, LIMIT_MS, &k), ERR_UNAVAILABLE);
	CHECK(k == NULL);
	kmip_settings_free(&s);
	kmip_end();
}

TEST_MAIN
