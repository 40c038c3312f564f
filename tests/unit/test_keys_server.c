/* test_keys_server.c - device keys kept on a KMIP server: a running keyd and PyKMIP. */
#include <pthread.h>

#include "agent/guest/sealed.h"
#include "base/mem.h"
#include "keys/client_server.h"

#include "kmip_server.h"
#include "test_keys.h"

/* A tenant with a key server of its own, and a device whose key is there. */
struct kept {
	struct sample s;
	struct buf key, settings;
	struct keys_server server;
	char id[KEYS_SERVER_ID_MAX + 1];
};

static char *read_pem(const char *name)
{
	struct buf b = BUF_INIT;
	char path[128];

	snprintf(path, sizeof path, "%s/%s", kmip_folder, name);
	CHECK_INT(file_read(path, KEYS_SERVER_PEM_MAX, &b), 0);
	return buf_take(&b);
}

static int protect(struct keys_client *c, struct kept *k, const struct uuid *owner, const char *key_file, int keep)
{
	char *ca = read_pem("ca.crt"), *certificate = read_pem("client.crt"), *key = key_file ? read_pem(key_file) : NULL;
	struct secret *s = key ? secret_take(key, strlen(key)) : NULL;
	struct keys_server_settings settings = { .host = "127.0.0.1", .port = kmip_port, .ca = ca, .certificate = certificate, .key = s };
	struct buf wrapped = BUF_INIT, body = BUF_INIT;
	int rc;

	if (keep) {
		settings.former_key = view(&k->key);
		settings.former = view(&k->settings);
	}
	rc = keys_server_protect(c, &k->s.request, owner, k->s.named.wrapped_tenant, &settings, &wrapped, &body);
	if (rc == 0) {
		buf_free(&k->key);
		buf_free(&k->settings);
		k->key = wrapped;
		k->settings = body;
		k->server = (struct keys_server){ .owner = *owner, .wrapped_tenant = k->s.named.wrapped_tenant, .key = view(&k->key),
			.settings = view(&k->settings), .local = 1 };
	}
	secret_free(s);
	free(ca);
	free(certificate);
	free(key);
	return rc;
}

static void begin_kept(struct kept *k, struct keys_client *c)
{
	memset(k, 0, sizeof *k);
	begin_folder();
	kmip_begin();
	start_keyd(c);
	sample_make(&k->s, c);
	CHECK_INT(protect(c, k, &k->s.tenant, "client.key", 0), 0);
	buf_free(&k->s.wrapped_device);
	CHECK_INT(keys_server_create(c, &k->s.request, &k->server, &k->s.named, &k->s.wrapped_device, k->id), 0);
	CHECK(keys_is_elsewhere(view(&k->s.wrapped_device)) && *k->id);
}

static void end_kept(struct kept *k, struct keys_client *c)
{
	sample_free(&k->s);
	buf_free(&k->key);
	buf_free(&k->settings);
	end_keyd(c);
	kmip_end();
}

/* Waits until keyd asks the server again. */
static struct secret *key_at_last(struct kept *k, struct keys_client *c)
{
	clock_us until = clock_ticks() + 120 * CLOCK_SECOND;
	struct secret *key = sample_key(&k->s, c);

	while (key == NULL && clock_ticks() < until) {
		poll(NULL, 0, 200);
		key = sample_key(&k->s, c);
	}
	return key;
}

TEST_KEYD(a_device_key_is_made_kept_and_destroyed_on_the_server, "KEY-3,KEY-4")
{
	struct keys_client c;
	struct kept k;
	struct secret *key, *again;
	struct buf says = BUF_INIT, copy = BUF_INIT;
	struct uuid clone = uuid_new();
	struct sample other;

	begin_kept(&k, &c);
	CHECK_INT(keys_server_test(&c, &k.s.request, &k.server, &says), 0);
	CHECK(strstr(buf_str(&says), "PyKMIP") && strstr(buf_str(&says), "KMIP 2.0"));
	key = sample_key(&k.s, &c);
	CHECK(key && key->len == KEYS_DEVICE_KEY_SIZE);
	/* keyd forgets what it was told when it ends. */
	stop_keyd(SIGTERM);
	CHECK(try_start_keyd());
	CHECK(sample_key(&k.s, &c) == NULL);
	CHECK_INT(keys_server_tell(&c, &k.s.request, &k.server), 0);
	again = sample_key(&k.s, &c);
	CHECK(key && again && secret_equal(key, again));
	secret_free(again);
	/* The reference belongs to this device and version alone, and goes to a clone as a key does. */
	k.s.named.version = 2;
	CHECK(sample_key(&k.s, &c) == NULL);
	k.s.named.version = 1;
	CHECK_INT(sample_copy(&c, &k.s, &k.s.named, &clone, 1, &copy), 0);
	CHECK(keys_is_elsewhere(view(&copy)));
	/* Settings of one tenant are nothing to another. */
	sample_make(&other, &c);
	k.server.owner = other.tenant;
	k.server.wrapped_tenant = other.named.wrapped_tenant;
	CHECK_INT(keys_server_tell(&c, &k.s.request, &k.server), ERR_TAMPERED);
	k.server.owner = k.s.tenant;
	k.server.wrapped_tenant = k.s.named.wrapped_tenant;
	CHECK_INT(keys_server_create(&c, &k.s.request, &k.server, &other.named, &copy, k.id), ERR_FORBIDDEN);
	/* Other settings keep the key that is there. */
	CHECK_INT(protect(&c, &k, &k.s.tenant, NULL, 1), 0);
	CHECK_INT(keys_server_test(&c, &k.s.request, &k.server, &says), 0);
	CHECK_INT(keys_server_destroy(&c, &k.s.request, &k.server, &k.s.named, view(&k.s.wrapped_device)), 0);
	CHECK(sample_key(&k.s, &c) == NULL);
	CHECK_INT(keys_server_destroy(&c, &k.s.request, &k.server, &k.s.named, view(&k.s.wrapped_device)), 0);
	secret_free(key);
	sample_free(&other);
	buf_free(&says);
	buf_free(&copy);
	end_kept(&k, &c);
}

TEST_KEYD(the_installations_server_serves_any_tenant, "KEY-3")
{
	static const struct uuid nobody;
	struct keys_client c;
	struct kept k;
	struct secret *key;

	begin_kept(&k, &c);
	k.s.named.wrapped_tenant = (struct wire_view){ NULL, 0 };
	CHECK_INT(protect(&c, &k, &nobody, "client.key", 0), 0);
	k.s.named.wrapped_tenant = view(&k.s.wrapped_tenant);
	k.s.named.version = 2;
	CHECK_INT(keys_server_create(&c, &k.s.request, &k.server, &k.s.named, &k.s.wrapped_device, k.id), 0);
	key = sample_key(&k.s, &c);
	CHECK(key != NULL);
	secret_free(key);
	end_kept(&k, &c);
}

TEST_KEYD(settings_that_cannot_work_are_refused, "KEY-3,SEC-5")
{
	struct keys_client c;
	struct kept k;

	begin_kept(&k, &c);
	CHECK_INT(protect(&c, &k, &k.s.tenant, "server.key", 0), ERR_INVALID);
	CHECK(strstr(err_text(), "not the client certificate's") != NULL);
	CHECK_INT(protect(&c, &k, &k.s.tenant, "client.crt", 0), ERR_INVALID);
	CHECK_INT(protect(&c, &k, &k.s.tenant, NULL, 0), ERR_INVALID);
	k.server.local = 0;
	CHECK_INT(keys_server_test(&c, &k.s.request, &k.server, &(struct buf)BUF_INIT), ERR_FORBIDDEN);
	end_kept(&k, &c);
}

/* On a connection of its own, as another process would. */
static void *ask_and_wait(void *ctx)
{
	struct kept *k = ctx;
	struct keys_client c;
	struct buf says = BUF_INIT;
	int rc;

	keys_client_init(&c, socket_path, 60000);
	rc = keys_server_test(&c, &k->s.request, &k->server, &says);
	keys_client_close(&c);
	buf_free(&says);
	return (void *)(intptr_t)rc;
}

TEST_KEYD(nobody_waits_for_a_key_server_that_hangs, "KEY-3,SEC-7")
{
	struct keys_client c;
	struct kept k;
	struct sample local;
	struct secret *key;
	pthread_t thread;
	void *outcome = NULL;
	int served = 0;

	begin_kept(&k, &c);
	sample_make(&local, &c);
	kill(-kmip_pid, SIGSTOP);
	pthread_create(&thread, NULL, ask_and_wait, &k);
	while (pthread_tryjoin_np(thread, &outcome) != 0) {
		key = sample_key(&local, &c);
		served += key != NULL;
		secret_free(key);
		poll(NULL, 0, 50);
	}
	CHECK_INT((intptr_t)outcome, ERR_TIMEOUT);
	CHECK(served > 3);
	/* It is not asked again at once: the reason is told. */
	CHECK_INT(seal_as(&c, &k.s, &k.s.named, view(&k.s.wrapped_device)), ERR_UNAVAILABLE);
	CHECK(strstr(err_text(), "away") != NULL);
	kill(-kmip_pid, SIGCONT);
	key = key_at_last(&k, &c);
	CHECK(key != NULL);
	secret_free(key);
	kmip_stop();
	CHECK(seal_as(&c, &k.s, &k.s.named, view(&k.s.wrapped_device)) < 0);
	CHECK(keys_server_create(&c, &k.s.request, &k.server, &local.named, &local.wrapped_device, k.id) < 0);
	kmip_start();
	key = key_at_last(&k, &c);
	CHECK(key != NULL);
	secret_free(key);
	sample_free(&local);
	end_kept(&k, &c);
}

TEST_MAIN
