/* test_keys_daemon.c - a running keyd: every message, bad peers, bad messages, many clients, restarts, outages. */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <pwd.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "agent/guest/sealed.h"
#include "base/exported.h"
#include "base/mem.h"
#include "keys/message.h"

#include "test_keys.h"

TEST_KEYD(device_keys_are_made_and_sealed_to_the_asking_agent, "KEY-1,KEY-4")
{
	struct keys_client c;
	struct sample s;
	struct secret *first, *again, *other;
	struct buf wrapped = BUF_INIT;

	begin_keyd(&c);
	sample_make(&s, &c);
	first = sample_key(&s, &c);
	again = sample_key(&s, &c);
	CHECK(first && again && first->len == KEYS_DEVICE_KEY_SIZE && secret_equal(first, again));
	CHECK_INT(keys_device_create(&c, &s.request, &s.named, KEYS_DEVICE_KEY_SIZE, &wrapped), 0);
	buf_free(&s.wrapped_device);
	s.wrapped_device = wrapped;
	other = sample_key(&s, &c);
	CHECK(other && first && !secret_equal(first, other));
	secret_free(first);
	secret_free(again);
	secret_free(other);
	sample_free(&s);
	end_keyd(&c);
}

TEST_KEYD(device_keys_have_the_size_asked_for, "KEY-1")
{
	static const size_t sizes[] = { KEYS_DEVICE_KEY_MIN, 24, 32, KEYS_DEVICE_KEY_MAX };
	struct keys_client c;
	struct sample s;
	struct secret *key;

	begin_keyd(&c);
	sample_make(&s, &c);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		CHECK_INT(keys_device_create(&c, &s.request, &s.named, sizes[i], &s.wrapped_device), 0);
		key = sample_key(&s, &c);
		CHECK_INT(key ? key->len : 0, sizes[i]);
		secret_free(key);
	}
	CHECK_INT(keys_device_create(&c, &s.request, &s.named, KEYS_DEVICE_KEY_MIN - 1, &s.wrapped_device), ERR_INVALID);
	CHECK_INT(keys_device_create(&c, &s.request, &s.named, KEYS_DEVICE_KEY_MAX + 1, &s.wrapped_device), ERR_TOO_LARGE);
	s.named.version = 0;
	CHECK_INT(keys_device_create(&c, &s.request, &s.named, 32, &s.wrapped_device), ERR_INVALID);
	sample_free(&s);
	end_keyd(&c);
}

TEST_KEYD(no_key_is_sealed_for_another_tenant_device_or_version, "KEY-1,SEC-7")
{
	struct keys_client c;
	struct sample s, t;
	struct keys_device n;
	struct wire_view device;

	begin_keyd(&c);
	sample_make(&s, &c);
	sample_make(&t, &c);
	device = view(&s.wrapped_device);
	CHECK_INT(seal_as(&c, &s, &s.named, device), 0);
	n = s.named, n.tenant = t.tenant;
	CHECK_INT(seal_as(&c, &s, &n, device), ERR_TAMPERED);
	n = s.named, n.wrapped_tenant = t.named.wrapped_tenant;
	CHECK_INT(seal_as(&c, &s, &n, device), ERR_TAMPERED);
	n = t.named, n.device = s.device;
	CHECK_INT(seal_as(&c, &s, &n, device), ERR_TAMPERED);
	n = s.named, n.device = t.device;
	CHECK_INT(seal_as(&c, &s, &n, device), ERR_TAMPERED);
	n = s.named, n.version = 2;
	CHECK_INT(seal_as(&c, &s, &n, device), ERR_TAMPERED);
	CHECK_INT(seal_as(&c, &s, &s.named, view(&s.wrapped_tenant)), ERR_TAMPERED);
	CHECK_INT(seal_as(&c, &s, &s.named, (struct wire_view){ NULL, 0 }), ERR_TAMPERED);
	for (size_t i = 0; i < s.wrapped_tenant.len; i++) {
		s.wrapped_tenant.data[i] ^= 0x40;
		CHECK_INT(seal_as(&c, &s, &s.named, device), ERR_TAMPERED);
		s.wrapped_tenant.data[i] ^= 0x40;
	}
	for (size_t i = 0; i < s.wrapped_device.len; i++) {
		s.wrapped_device.data[i] ^= 0x40;
		CHECK_INT(seal_as(&c, &s, &s.named, device), ERR_TAMPERED);
		s.wrapped_device.data[i] ^= 0x40;
	}
	CHECK_INT(seal_as(&c, &s, &s.named, device), 0);
	sample_free(&s);
	sample_free(&t);
	end_keyd(&c);
}

/* The clone's blob opens as the clone's own and as nobody else's, and holds the same key. */
TEST_KEYD(a_clone_gets_a_copy_of_the_key_under_its_own_name, "DEV-5,KEY-1")
{
	struct keys_client c;
	struct sample s, t, clone;
	struct keys_device n;
	struct secret *first, *second;

	begin_keyd(&c);
	sample_make(&s, &c);
	sample_make(&t, &c);
	clone = s;
	clone.device = clone.named.device = uuid_new();
	clone.named.version = 4;
	clone.wrapped_device = (struct buf)BUF_INIT;
	CHECK_INT(sample_copy(&c, &s, &s.named, &clone.device, 4, &clone.wrapped_device), 0);
	first = sample_key(&s, &c);
	second = sample_key(&clone, &c);
	CHECK(first && second && secret_equal(first, second));
	CHECK_INT(seal_as(&c, &s, &s.named, view(&clone.wrapped_device)), ERR_TAMPERED);
	CHECK_INT(seal_as(&c, &s, &clone.named, view(&s.wrapped_device)), ERR_TAMPERED);
	n = clone.named, n.version = 1;
	CHECK_INT(seal_as(&c, &s, &n, view(&clone.wrapped_device)), ERR_TAMPERED);
	n = clone.named, n.tenant = t.tenant, n.wrapped_tenant = t.named.wrapped_tenant;
	CHECK_INT(seal_as(&c, &s, &n, view(&clone.wrapped_device)), ERR_TAMPERED);
	/* Never across tenants, never onto itself, never as version 0. */
	n = s.named, n.tenant = t.tenant, n.wrapped_tenant = t.named.wrapped_tenant;
	CHECK_INT(sample_copy(&c, &s, &n, &clone.device, 4, &clone.wrapped_device), ERR_TAMPERED);
	CHECK_INT(sample_copy(&c, &s, &s.named, &s.device, 2, &clone.wrapped_device), ERR_INVALID);
	CHECK_INT(sample_copy(&c, &s, &s.named, &clone.device, 0, &clone.wrapped_device), ERR_INVALID);
	secret_free(first);
	secret_free(second);
	buf_free(&clone.wrapped_device);
	sample_free(&s);
	sample_free(&t);
	end_keyd(&c);
}

TEST_KEYD(no_key_is_sealed_to_what_is_no_p256_point, "KEY-4,SEC-5")
{
	struct keys_client c;
	struct sample s;
	struct buf jwe = BUF_INIT;
	struct sealed *own = NULL;
	uint8_t point[KEYS_POINT_SIZE], bad[KEYS_POINT_SIZE] = { 0 };

	begin_keyd(&c);
	sample_make(&s, &c);
	CHECK_INT(sealed_new(&own), 0);
	sealed_public(own, point);
	CHECK_INT(sample_seal(&c, &s, bad, &jwe), ERR_INVALID);
	for (size_t i = 0; i < sizeof point; i++) {
		memcpy(bad, point, sizeof bad);
		bad[i] ^= 1;
		CHECK_INT(sample_seal(&c, &s, bad, &jwe), ERR_INVALID);
	}
	memset(bad, 0xff, sizeof bad);
	bad[0] = 4;
	CHECK_INT(sample_seal(&c, &s, bad, &jwe), ERR_INVALID);
	CHECK_INT(jwe.len, 0);
	sealed_free(own);
	sample_free(&s);
	end_keyd(&c);
}

static struct secret *random_plain(size_t len)
{
	return secret_random(len);
}

TEST_KEYD(secrets_of_tenants_come_back_only_where_they_belong, "KEY-1")
{
	static const size_t sizes[] = { 0, 1, 33, KEYS_PLAIN_MAX };
	struct keys_client c;
	struct sample s, t;
	struct secret *plain, *got = NULL;
	struct buf blob = BUF_INIT;
	struct keys_object o, n;

	begin_keyd(&c);
	sample_make(&s, &c);
	sample_make(&t, &c);
	o = (struct keys_object){ s.tenant, view(&s.wrapped_tenant), "spake2-verifier", s.device };
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		plain = random_plain(sizes[i]);
		CHECK_INT(keys_protect(&c, &s.request, &o, plain, &blob), 0);
		CHECK_INT(keys_reveal(&c, &s.request, &o, view(&blob), &got), 0);
		CHECK(got && secret_equal(plain, got));
		secret_free(got);
		secret_free(plain);
		got = NULL;
	}
	n = o, n.purpose = "passphrase";
	CHECK_INT(keys_reveal(&c, &s.request, &n, view(&blob), &got), ERR_TAMPERED);
	n = o, n.object = t.device;
	CHECK_INT(keys_reveal(&c, &s.request, &n, view(&blob), &got), ERR_TAMPERED);
	n = o, n.tenant = t.tenant, n.wrapped_tenant = view(&t.wrapped_tenant);
	CHECK_INT(keys_reveal(&c, &s.request, &n, view(&blob), &got), ERR_TAMPERED);
	plain = random_plain(KEYS_PLAIN_MAX + 1);
	CHECK_INT(keys_protect(&c, &s.request, &o, plain, &blob), ERR_TOO_LARGE);
	CHECK(got == NULL);
	secret_free(plain);
	buf_free(&blob);
	sample_free(&s);
	sample_free(&t);
	end_keyd(&c);
}

static int seal_credentials(struct keys_client *c, const struct sample *s, const struct keys_object *o, const struct buf *blob,
	const uint8_t *point, struct buf *jwe)
{
	struct sample_proof store;
	const struct keys_proof proof = sample_prove(s, TICKET_CREDENTIALS, &o->tenant, &o->object, 7, point, &store);

	return keys_credentials_seal(c, &s->request, o, 7, view(blob), &s->agent, point, &proof, jwe);
}

/* The web's processes keep a provider's credentials for agents, and cannot open them. */
TEST_KEYD(credentials_go_to_agents_alone, "AGT-3,CFG-3,KEY-4")
{
	struct keys_client c;
	struct sample s;
	struct secret *plain = random_plain(900), *got = NULL;
	struct buf blob = BUF_INIT, jwe = BUF_INIT;
	struct sealed *one_time = NULL;
	struct keys_object o, n;
	uint8_t point[SEALED_POINT_SIZE];

	begin_keyd(&c);
	sample_make(&s, &c);
	o = (struct keys_object){ s.tenant, view(&s.wrapped_tenant), KEYS_PURPOSE_CREDENTIALS, s.device };
	CHECK_INT(keys_protect(&c, &s.request, &o, plain, &blob), 0);
	CHECK_INT(keys_reveal(&c, &s.request, &o, view(&blob), &got), ERR_FORBIDDEN);
	CHECK_INT(sealed_new(&one_time), 0);
	sealed_public(one_time, point);
	CHECK_INT(seal_credentials(&c, &s, &o, &blob, point, &jwe), 0);
	CHECK_INT(sealed_open(one_time, buf_str(&jwe), jwe.len, &(struct sealed_expected){ s.tenant, s.device, s.request, s.agent, 7, 2048 },
		&got), 0);
	CHECK(got && secret_equal(plain, got));
	secret_free(got);
	got = NULL;
	/* As a device key it is nothing. */
	CHECK_INT(sealed_open(one_time, buf_str(&jwe), jwe.len, &(struct sealed_expected){ s.tenant, s.device, s.request, s.agent, 7, 0 },
		&got), ERR_INVALID);
	n = o, n.object = s.tenant;
	CHECK_INT(seal_credentials(&c, &s, &n, &blob, point, &jwe), ERR_TAMPERED);
	n = o, n.purpose = "passphrase";
	CHECK_INT(keys_protect(&c, &s.request, &n, plain, &blob), 0);
	CHECK_INT(seal_credentials(&c, &s, &n, &blob, point, &jwe), ERR_FORBIDDEN);
	CHECK(got == NULL);
	sealed_free(one_time);
	secret_free(plain);
	buf_free(&blob);
	buf_free(&jwe);
	sample_free(&s);
	end_keyd(&c);
}

/* Whoever may ask for secrets in the clear must not get device keys that way. */
TEST_KEYD(no_purpose_reveals_a_device_or_tenant_key, "KEY-4")
{
	static const char *const purposes[] = { "device", "tenant", "key", "key-device", "key/device", "key/tenant", "",
		"../key/device", "Device", "key/identity" };
	struct keys_client c;
	struct sample s;
	struct secret *got = NULL;
	struct buf identity = BUF_INIT;
	int rc;

	begin_keyd(&c);
	sample_make(&s, &c);
	CHECK_INT(file_read(identity_path, 4096, &identity), 0);
	for (size_t i = 0; i < ARRAY_LEN(purposes); i++) {
		struct keys_object o = { s.tenant, view(&s.wrapped_tenant), purposes[i], s.device };

		rc = keys_reveal(&c, &s.request, &o, view(&s.wrapped_device), &got);
		CHECK(rc == ERR_TAMPERED || rc == ERR_INVALID);
		rc = keys_system_reveal(&c, &s.request, purposes[i], view(&s.wrapped_tenant), &got);
		CHECK(rc == ERR_TAMPERED || rc == ERR_INVALID);
		rc = keys_system_reveal(&c, &s.request, purposes[i], view(&identity), &got);
		CHECK(rc == ERR_TAMPERED || rc == ERR_INVALID);
		CHECK(got == NULL);
	}
	buf_free(&identity);
	sample_free(&s);
	end_keyd(&c);
}

TEST_KEYD(secrets_of_the_installation_are_bound_to_their_purpose, "KEY-1")
{
	struct keys_client c;
	struct uuid request = uuid_new();
	struct secret *plain, *got = NULL;
	struct buf blob = BUF_INIT;
	char longest[KEYS_PURPOSE_MAX + 2] = "";

	begin_keyd(&c);
	plain = random_plain(100);
	memset(longest, 'p', KEYS_PURPOSE_MAX);
	CHECK_INT(keys_system_protect(&c, &request, "smtp-password", plain, &blob), 0);
	CHECK_INT(keys_system_reveal(&c, &request, "ldap-password", view(&blob), &got), ERR_TAMPERED);
	CHECK_INT(keys_system_reveal(&c, &request, "smtp-password", view(&blob), &got), 0);
	CHECK(got && secret_equal(plain, got));
	secret_free(got);
	CHECK_INT(keys_system_protect(&c, &request, longest, plain, &blob), 0);
	CHECK_INT(keys_system_reveal(&c, &request, longest, view(&blob), &got), 0);
	secret_free(got);
	longest[KEYS_PURPOSE_MAX] = 'p';
	CHECK_INT(keys_system_protect(&c, &request, longest, plain, &blob), ERR_TOO_LARGE);
	CHECK_INT(keys_system_protect(&c, &request, "Smtp Password", plain, &blob), ERR_INVALID);
	secret_free(plain);
	buf_free(&blob);
	end_keyd(&c);
}

static EVP_PKEY *public_key(uint8_t *point)
{
	char group[] = "P-256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, KEYS_POINT_SIZE),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;

	CHECK(EVP_PKEY_fromdata_init(ctx) == 1 && EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) == 1);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static int verifies(EVP_PKEY *key, const uint8_t *digest, const uint8_t *rs)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	unsigned char *der = NULL;
	int len, ok;

	ECDSA_SIG_set0(sig, BN_bin2bn(rs, 32, NULL), BN_bin2bn(rs + 32, 32, NULL));
	len = i2d_ECDSA_SIG(sig, &der);
	ok = EVP_PKEY_verify_init(ctx) == 1 && EVP_PKEY_verify(ctx, der, (size_t)len, digest, KEYS_DIGEST_SIZE) == 1;
	OPENSSL_free(der);
	ECDSA_SIG_free(sig);
	EVP_PKEY_CTX_free(ctx);
	return ok;
}

TEST_KEYD(identity_signs_and_survives_a_restart, "KEY-4")
{
	struct keys_client c;
	struct uuid request = uuid_new();
	uint8_t point[KEYS_POINT_SIZE], again[KEYS_POINT_SIZE], digest[KEYS_DIGEST_SIZE], signature[KEYS_SIGNATURE_SIZE];
	EVP_PKEY *key;

	begin_keyd(&c);
	CHECK_INT(keys_identity_public(&c, point), 0);
	key = public_key(point);
	for (int i = 0; i < 50; i++) {
		CHECK_INT(getrandom(digest, sizeof digest, 0), sizeof digest);
		CHECK_INT(keys_identity_sign(&c, &request, digest, signature), 0);
		CHECK(verifies(key, digest, signature));
		digest[0] ^= 1;
		CHECK(!verifies(key, digest, signature));
	}
	CHECK_INT(stop_keyd(SIGTERM), 0);
	CHECK(try_start_keyd());
	CHECK_INT(keys_identity_public(&c, again), 0);
	CHECK(memcmp(point, again, sizeof point) == 0);
	EVP_PKEY_free(key);
	end_keyd(&c);
}

TEST_KEYD(status_counts_what_was_done, "KEY-2")
{
	struct keys_client c;
	struct keys_status before, after;
	struct sample s;
	struct secret *key;

	begin_keyd(&c);
	CHECK_INT(keys_status(&c, &before), 0);
	CHECK_INT(before.sealed, 0);
	CHECK_STR(before.provider, "file");
	CHECK(!uuid_is_nil(&before.root));
	CHECK_INT(before.seals + before.failures + before.tenants, 0);
	sample_make(&s, &c);
	for (int i = 0; i < 3; i++) {
		key = sample_key(&s, &c);
		CHECK(key != NULL);
		secret_free(key);
	}
	s.named.version++;
	CHECK_INT(seal_as(&c, &s, &s.named, view(&s.wrapped_device)), ERR_TAMPERED);
	CHECK_INT(keys_status(&c, &after), 0);
	CHECK_INT(after.seals, 3);
	CHECK_INT(after.failures, 1);
	CHECK_INT(after.tenants, 1);
	CHECK_INT(after.wraps - before.wraps, 2);
	/* One tenant key and three device keys: the tenant key was not unwrapped again. */
	CHECK_INT(after.unwraps - before.unwraps, 4);
	CHECK_INT(after.tenant_hits, 4);
	CHECK_INT(after.clients, 1);
	sample_free(&s);
	end_keyd(&c);
}

/* Runs in a child of user NAME; its exit status is the negated result. */
static int status_as(const char *name)
{
	const struct passwd *pw = getpwnam(name);
	struct keys_client c;
	struct keys_status s;
	int status;

	if (fork() == 0) {
		if (setgid(pw->pw_gid) < 0 || setuid(pw->pw_uid) < 0)
			_exit(200);
		keys_client_init(&c, socket_path, PATIENCE_MS);
		_exit(-keys_status(&c, &s));
	}
	wait(&status);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : 1;
}

TEST_KEYD(only_allowed_users_are_answered, "KEY-4,SEC-7")
{
	struct keys_client c;
	struct keys_status s;
	struct stat st;

	begin_keyd(&c);
	CHECK_INT(stat(socket_path, &st), 0);
	CHECK_INT(st.st_mode & 07777, 0660);
	CHECK_INT(st.st_gid, getpwnam("daemon")->pw_gid);
	CHECK_INT(status_as("daemon"), 0);
	CHECK_INT(status_as("games"), ERR_UNAVAILABLE);
	/* The file's mode is the first wall; behind it stands the peer's name. */
	CHECK_INT(chmod(socket_path, 0666), 0);
	CHECK_INT(status_as("games"), ERR_FORBIDDEN);
	CHECK_INT(status_as("nobody"), ERR_FORBIDDEN);
	CHECK_INT(status_as("daemon"), 0);
	CHECK_INT(keys_status(&c, &s), 0);
	CHECK_INT(s.failures, 2);
	end_keyd(&c);
}

static int dial(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof at.sun_path, "%s", socket_path);
	CHECK_INT(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
	return fd;
}

/* Sends LEN bytes as they are; the status byte of the answer, or -1 when the connection was closed. */
static int send_raw(const void *data, size_t len)
{
	uint8_t answer[1024];
	int fd = dial();
	ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

	CHECK_INT(n, len);
	n = recv(fd, answer, sizeof answer, 0);
	close(fd);
	return n > 2 ? answer[1] : -1;
}

TEST_KEYD(garbage_is_refused_and_harms_nobody, "SEC-5,SEC-7")
{
	static uint8_t message[IPC_MESSAGE_MAX + 1000];
	struct keys_client c;
	struct keys_status s;

	begin_keyd(&c);
	memset(message, 0, sizeof message);
	CHECK_INT(send_raw(message, sizeof message), -ERR_TOO_LARGE);
	CHECK_INT(send_raw(message, IPC_MESSAGE_MAX), -ERR_VERSION);
	CHECK_INT(send_raw(message, 0), -1);
	for (size_t len = 1; len < 18; len++)
		CHECK_INT(send_raw(message, len), -ERR_TRUNCATED);
	CHECK_INT(send_raw("\001\310................", 18), -ERR_UNSUPPORTED);
	for (int type = 0; type < 256; type++) {
		for (int i = 0; i < 4; i++) {
			CHECK_INT(getrandom(message, 200, 0), 200);
			message[0] = MESSAGE_VERSION;
			message[1] = (uint8_t)type;
			CHECK(send_raw(message, 20 + (size_t)i * 50) > 0);
		}
	}
	CHECK_INT(keys_status(&c, &s), 0);
	CHECK(s.failures > 1000);
	end_keyd(&c);
}

/* The whole of a good request, one byte less each time, and with a byte behind it. */
TEST_KEYD(every_request_cut_short_is_refused, "SEC-5")
{
	struct keys_client c;
	struct sample s;
	struct buf b = BUF_INIT;
	uint8_t point[KEYS_POINT_SIZE] = { 0 };
	struct sample_proof store;
	struct keys_proof proof;

	begin_keyd(&c);
	sample_make(&s, &c);
	CHECK_INT(keys_identity_public(&c, point), 0);
	proof = sample_approve(&s, &s.named, point, &store);
	wire_put_u8(&b, MESSAGE_VERSION);
	wire_put_u8(&b, MESSAGE_device_seal);
	wire_put_uuid(&b, &s.request);
	wire_put_uuid(&b, &s.tenant);
	wire_put_bytes(&b, s.wrapped_tenant.data, s.wrapped_tenant.len);
	wire_put_uuid(&b, &s.device);
	wire_put_u32(&b, 1);
	wire_put_bytes(&b, s.wrapped_device.data, s.wrapped_device.len);
	wire_put_uuid(&b, &s.agent);
	wire_put_raw(&b, point, sizeof point);
	wire_put_bytes(&b, proof.ticket.data, proof.ticket.len);
	wire_put_string(&b, proof.device);
	wire_put_raw(&b, proof.signature, KEYS_SIGNATURE_SIZE);
	CHECK_INT(send_raw(b.data, b.len), 0);
	for (size_t len = 1; len < b.len; len++)
		CHECK_INT(send_raw(b.data, len), -ERR_TRUNCATED);
	buf_putc(&b, 0);
	CHECK_INT(send_raw(b.data, b.len), -ERR_INVALID);
	buf_free(&b);
	sample_free(&s);
	end_keyd(&c);
}

struct load {
	struct sample *sample;
	int sealed;
};

static void *seal_many(void *arg)
{
	struct load *l = arg;
	struct keys_client c;
	struct secret *key;

	keys_client_init(&c, socket_path, 60000);
	for (int i = 0; i < 10; i++) {
		key = sample_key(l->sample, &c);
		l->sealed += key != NULL && key->len == KEYS_DEVICE_KEY_SIZE;
		secret_free(key);
	}
	keys_client_close(&c);
	return NULL;
}

TEST_KEYD(sixty_four_clients_at_once_are_all_served, "KEY-4")
{
	enum { CLIENTS = 64, TENANTS = 8 };
	static struct load loads[CLIENTS];
	static struct sample samples[TENANTS];
	pthread_t threads[CLIENTS];
	struct keys_client c;
	struct keys_status s;

	begin_keyd(&c);
	for (int i = 0; i < TENANTS; i++)
		sample_make(&samples[i], &c);
	for (int i = 0; i < CLIENTS; i++) {
		loads[i] = (struct load){ &samples[i % TENANTS], 0 };
		CHECK_INT(pthread_create(&threads[i], NULL, seal_many, &loads[i]), 0);
	}
	for (int i = 0; i < CLIENTS; i++) {
		pthread_join(threads[i], NULL);
		CHECK_INT(loads[i].sealed, 10);
	}
	CHECK_INT(keys_status(&c, &s), 0);
	CHECK_INT(s.seals, CLIENTS * 10);
	CHECK_INT(s.failures, 0);
	for (int i = 0; i < TENANTS; i++)
		sample_free(&samples[i]);
	end_keyd(&c);
}

TEST_KEYD(peers_that_never_read_or_never_ask_do_not_stop_others, "SEC-5")
{
	static const uint8_t ask[18] = { MESSAGE_VERSION, MESSAGE_status };
	enum { IDLE = 300 };
	int idle[IDLE], deaf;
	struct keys_client c;
	struct keys_status s;

	begin_keyd(&c);
	for (int i = 0; i < IDLE; i++)
		idle[i] = dial();
	deaf = dial();
	for (int i = 0; i < 20000 && send(deaf, ask, sizeof ask, MSG_NOSIGNAL | MSG_DONTWAIT) > 0; i++)
		;
	CHECK_INT(keys_status(&c, &s), 0);
	CHECK(s.clients >= IDLE);
	for (int i = 0; i < IDLE; i++)
		close(idle[i]);
	close(deaf);
	end_keyd(&c);
}

TEST_KEYD(what_was_made_opens_after_kill_and_restart, "KEY-1,KEY-2")
{
	struct keys_client c;
	struct sample s;
	struct secret *before, *after, *plain, *got = NULL;
	struct buf blob = BUF_INIT;

	begin_keyd(&c);
	sample_make(&s, &c);
	before = sample_key(&s, &c);
	plain = random_plain(64);
	CHECK_INT(keys_system_protect(&c, &s.request, "smtp-password", plain, &blob), 0);
	stop_keyd(SIGKILL);
	CHECK_INT(keys_system_reveal(&c, &s.request, "smtp-password", view(&blob), &got), ERR_UNAVAILABLE);
	CHECK(try_start_keyd());
	after = sample_key(&s, &c);
	CHECK(before && after && secret_equal(before, after));
	CHECK_INT(keys_system_reveal(&c, &s.request, "smtp-password", view(&blob), &got), 0);
	CHECK(got && secret_equal(plain, got));
	secret_free(before);
	secret_free(after);
	secret_free(plain);
	secret_free(got);
	buf_free(&blob);
	sample_free(&s);
	end_keyd(&c);
}

/* A root key file (docs/keys.md) of another key. */
static void write_other_root(const char *path)
{
	uint8_t file[88] = "KWROOT1\n";
	struct uuid id = uuid_new();

	memcpy(file + 8, id.bytes, sizeof id.bytes);
	CHECK_INT(EVP_Digest(file, 56, file + 56, NULL, EVP_sha256(), NULL), 1);
	CHECK_INT(file_write(path, file, sizeof file, 0600), 0);
}

/* A lost root key file must not be replaced by a new key that opens nothing; nor by another one that wraps what nobody opens later. The right
 * one is found when it is back. */
TEST_KEYD(without_its_root_key_file_keyd_stays_sealed, "KEY-2,SEC-7")
{
	char aside[128];
	struct keys_client c;
	struct keys_status st;
	struct sample s;
	struct secret *key, *got = NULL;
	uint8_t point[KEYS_POINT_SIZE], digest[KEYS_DIGEST_SIZE] = { 0 }, signature[KEYS_SIGNATURE_SIZE];
	struct buf out = BUF_INIT;

	begin_keyd(&c);
	sample_make(&s, &c);
	snprintf(aside, sizeof aside, "%s.aside", root_path);
	CHECK_INT(stop_keyd(SIGTERM), 0);
	CHECK_INT(rename(root_path, aside), 0);
	CHECK(try_start_keyd());
	CHECK_INT(keys_status(&c, &st), 0);
	CHECK_INT(st.sealed, 1);
	CHECK(uuid_is_nil(&st.root) && st.cause == KEYS_CAUSE_FILE && strstr(st.why, root_path) != NULL);
	CHECK_INT(keys_tenant_create(&c, &s.request, &s.tenant, &out), ERR_SEALED);
	CHECK_INT(keys_device_create(&c, &s.request, &s.named, 32, &out), ERR_SEALED);
	CHECK_INT(seal_as(&c, &s, &s.named, view(&s.wrapped_device)), ERR_SEALED);
	CHECK_INT(keys_system_reveal(&c, &s.request, "x", view(&s.wrapped_tenant), &got), ERR_SEALED);
	CHECK_INT(keys_identity_public(&c, point), ERR_SEALED);
	CHECK_INT(keys_identity_sign(&c, &s.request, digest, signature), ERR_SEALED);
	CHECK_INT(access(root_path, F_OK), -1);
	write_other_root(root_path);
	wait_cause(&c, KEYS_CAUSE_OTHER_KEY);
	CHECK_INT(wraps(&c), ERR_SEALED);
	CHECK_INT(stop_keyd(SIGTERM), 0);
	CHECK(try_start_keyd());
	CHECK_INT(cause_of(&c), KEYS_CAUSE_OTHER_KEY);
	CHECK_INT(wraps(&c), ERR_SEALED);
	/* Others may read it: not taken, and said. */
	CHECK_INT(chmod(aside, 0644), 0);
	CHECK_INT(rename(aside, root_path), 0);
	wait_cause(&c, KEYS_CAUSE_FILE);
	CHECK_INT(keys_status(&c, &st), 0);
	CHECK(strstr(st.why, "0644") != NULL);
	CHECK_INT(chmod(root_path, 0600), 0);
	wait_sealed(&c, 0);
	CHECK_INT(wraps(&c), 0);
	key = sample_key(&s, &c);
	CHECK(key != NULL);
	secret_free(key);
	sample_free(&s);
	end_keyd(&c);
}

/* The folder of the root key's file, shown at AT by a process that can be stopped: its id. */
static pid_t show_slowly(const char *from, const char *at)
{
	struct stat shown, below;
	pid_t pid;

	CHECK_INT(mkdir(from, 0700) + mkdir(at, 0700), 0);
	CHECK_INT(stat(folder, &below), 0);
	pid = fork();
	if (pid == 0) {
		execl(SLOW_FOLDER, "slow_folder", from, at, "-f", "-s", (char *)NULL);
		_exit(127);
	}
	do
		poll(NULL, 0, 20);
	while (stat(at, &shown) == 0 && shown.st_dev == below.st_dev && waitpid(pid, NULL, WNOHANG) == 0);
	CHECK(shown.st_dev != below.st_dev);
	return pid;
}

/* A reader of a file system that hangs waits in the kernel, and no signal ends that: keyd must not be it. */
TEST(a_file_system_that_hangs_keeps_keyd_sealed_and_not_silent, "KEY-2,SEC-7")
{
	char from[96], at[96], real[112];
	struct keys_client c;
	struct keys_status st;
	struct sample s;
	struct secret *key;
	pid_t slow;

	/* As it is installed: locked in. */
	keyd_program = KEYD_PLAIN_PATH;
	begin_folder();
	snprintf(from, sizeof from, "%s/real", folder);
	snprintf(at, sizeof at, "%s/shown", folder);
	slow = show_slowly(from, at);
	/* The first start makes it, the others read it there. */
	snprintf(root_path, sizeof root_path, "%s/root", from);
	start_keyd(&c);
	sample_make(&s, &c);
	CHECK_INT(stop_keyd(SIGTERM), 0);
	snprintf(real, sizeof real, "%s.aside", root_path);
	snprintf(root_path, sizeof root_path, "%s/root", at);
	/* At its start, and while it looks for one that was missing. */
	for (int missing = 0; missing < 2; missing++) {
		char there[96];

		snprintf(there, sizeof there, "%s/root", from);
		if (missing)
			CHECK_INT(rename(there, real), 0);
		else
			kill(slow, SIGSTOP);
		CHECK(try_start_keyd());
		if (missing) {
			CHECK_INT(cause_of(&c), KEYS_CAUSE_FILE);
			kill(slow, SIGSTOP);
			CHECK_INT(rename(real, there), 0);
		}
		for (int i = 0; i < 300 && keys_status(&c, &st) == 0 && strstr(st.why, "does not answer") == NULL; i++)
			poll(NULL, 0, 100);
		CHECK(st.sealed && st.cause == KEYS_CAUSE_FILE && strstr(st.why, "its file system does not answer") != NULL);
		for (int i = 0; i < 5; i++) {
			CHECK_INT(wraps(&c), ERR_SEALED);
			poll(NULL, 0, 100);
		}
		kill(slow, SIGCONT);
		wait_sealed(&c, 0);
		key = sample_key(&s, &c);
		CHECK(key != NULL);
		secret_free(key);
		CHECK_INT(stop_keyd(SIGTERM), 0);
	}
	keys_client_close(&c);
	CHECK_INT(umount2(at, MNT_DETACH), 0);
	kill(slow, SIGKILL);
	waitpid(slow, NULL, 0);
	sample_free(&s);
	end_folder();
	keyd_program = KEYD_PATH;
}

TEST_KEYD(keyd_does_not_start_on_key_files_that_others_may_read, "KEY-2,SEC-7")
{
	struct keys_client c;

	begin_keyd(&c);
	keys_client_close(&c);
	CHECK_INT(stop_keyd(SIGTERM), 0);
	CHECK_INT(chmod(root_path, 0640), 0);
	CHECK(!try_start_keyd());
	CHECK_INT(chmod(root_path, 0600), 0);
	CHECK_INT(chown(identity_path, 1, (gid_t)-1), 0);
	CHECK(!try_start_keyd());
	CHECK_INT(chown(identity_path, 0, (gid_t)-1), 0);
	CHECK(try_start_keyd());
	end_folder();
}

TEST_KEYD(a_keyd_that_hangs_is_a_timeout_and_no_late_answer_counts, "SEC-7")
{
	struct keys_client c;
	struct keys_status s;
	uint8_t point[KEYS_POINT_SIZE];

	begin_keyd(&c);
	CHECK_INT(keys_status(&c, &s), 0);
	c.ipc.timeout_ms = 300;
	kill(keyd_pid, SIGSTOP);
	CHECK_INT(keys_identity_public(&c, point), ERR_TIMEOUT);
	kill(keyd_pid, SIGCONT);
	c.ipc.timeout_ms = PATIENCE_MS;
	CHECK_INT(keys_status(&c, &s), 0);
	CHECK_INT(keys_identity_public(&c, point), 0);
	CHECK_INT(point[0], 4);
	end_keyd(&c);
}

TEST_MAIN

TEST_KEYD(exported_keys_are_bound_to_their_device_and_fields, "KEY-5,KEY-1")
{
	struct keys_client c;
	struct sample s, t;
	struct secret *key = secret_random(EXPORTED_KEY_SIZE);
	struct buf fields = BUF_INIT, sealed = BUF_INIT, again = BUF_INIT;
	struct keys_device n;

	begin_keyd(&c);
	sample_make(&s, &c);
	sample_make(&t, &c);
	buf_puts(&fields, "fields");
	CHECK_INT(sample_export(&c, &s, &s.named, view(&s.wrapped_device), key, &fields, &sealed), 0);
	CHECK_INT(sealed.len, EXPORTED_OVERHEAD + KEYS_DEVICE_KEY_SIZE);
	CHECK_INT(sample_export(&c, &s, &s.named, view(&s.wrapped_device), key, &fields, &again), 0);
	CHECK(again.len == sealed.len && memcmp(again.data, sealed.data, sealed.len) != 0);
	n = s.named, n.version = 2;
	CHECK_INT(sample_export(&c, &s, &n, view(&s.wrapped_device), key, &fields, &again), ERR_TAMPERED);
	n = s.named, n.device = t.device;
	CHECK_INT(sample_export(&c, &s, &n, view(&s.wrapped_device), key, &fields, &again), ERR_TAMPERED);
	CHECK_INT(sample_export(&c, &s, &s.named, view(&t.wrapped_device), key, &fields, &again), ERR_TAMPERED);
	buf_extend(&fields, EXPORTED_FIELDS_MAX);
	CHECK_INT(sample_export(&c, &s, &s.named, view(&s.wrapped_device), key, &fields, &again), ERR_TOO_LARGE);
	buf_free(&fields);
	buf_free(&sealed);
	buf_free(&again);
	secret_free(key);
	sample_free(&s);
	sample_free(&t);
	end_keyd(&c);
}
