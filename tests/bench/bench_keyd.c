/* bench_keyd.c - what a key release costs in keyd: bench_keyd [SECONDS [CLIENTS]]. Run as root, from a build without sanitizers.
 *
 * The limit is one P-256 key generation and one Diffie-Hellman in this process: no seal can be cheaper than that. */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <pthread.h>

#include "agent/sealed.h"
#include "base/exported.h"
#include "base/mem.h"
#include "keys/cache.h"
#include "test_keys.h"

#define CLIENTS_MAX 64
#define TENANTS_COLD (4 * CACHE_TENANTS)     /* in turn: none is ever found unwrapped */

static clock_us duration = 2 * CLOCK_SECOND;
static int clients = 4;
static struct sample samples[TENANTS_COLD];
static uint8_t recipient[KEYS_POINT_SIZE];

struct worker {
	int (*work)(struct keys_client *c, unsigned turn);
	pthread_t thread;
	unsigned done, number;
};

static int seal_warm(struct keys_client *c, unsigned turn)
{
	struct sample *s = &samples[turn % 8];
	struct buf jwe = BUF_INIT;
	int rc = sample_seal(c, s, recipient, &jwe);

	buf_free(&jwe);
	return rc;
}

static int seal_cold(struct keys_client *c, unsigned turn)
{
	struct sample *s = &samples[turn % TENANTS_COLD];
	struct buf jwe = BUF_INIT;
	int rc = sample_seal(c, s, recipient, &jwe);

	buf_free(&jwe);
	return rc;
}

/* One key of an export, under an export key that the caller has derived. */
static int export_one(struct keys_client *c, unsigned turn)
{
	static const uint8_t fields[600];
	struct sample *s = &samples[turn % 8];
	struct secret *key = secret_new(EXPORTED_KEY_SIZE);
	struct buf context = BUF_INIT, sealed = BUF_INIT;
	int rc;

	buf_add(&context, fields, sizeof fields);
	rc = sample_export(c, s, &s->named, view(&s->wrapped_device), key, &context, &sealed);
	buf_free(&context);
	buf_free(&sealed);
	secret_free(key);
	return rc;
}

static int ask_status(struct keys_client *c, unsigned turn)
{
	struct keys_status s;

	return keys_status(c, &s);
}

static int sign(struct keys_client *c, unsigned turn)
{
	uint8_t digest[KEYS_DIGEST_SIZE] = { 0 }, signature[KEYS_SIGNATURE_SIZE];

	return keys_identity_sign(c, &samples[0].request, digest, signature);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	clock_us until = clock_ticks() + duration;
	struct keys_client c;

	keys_client_init(&c, socket_path, PATIENCE_MS);
	while (clock_ticks() < until) {
		if (w->work(&c, w->number + w->done * (unsigned)clients) < 0)
			fatal("%s", err_text());
		w->done++;
	}
	keys_client_close(&c);
	return NULL;
}

/* Calls per second of all clients together. */
static double measure(int (*what)(struct keys_client *, unsigned))
{
	static struct worker workers[CLIENTS_MAX];
	clock_us began = clock_ticks();
	unsigned done = 0;

	for (int i = 0; i < clients; i++) {
		workers[i] = (struct worker){ .work = what, .number = (unsigned)i };
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	for (int i = 0; i < clients; i++) {
		pthread_join(workers[i].thread, NULL);
		done += workers[i].done;
	}
	return done / ((double)(clock_ticks() - began) / CLOCK_SECOND);
}

static void agree(EVP_PKEY *peer)
{
	EVP_PKEY *own = EVP_EC_gen("P-256");
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
	uint8_t shared[32];
	size_t len = sizeof shared;

	if (EVP_PKEY_derive_init(ctx) != 1 || EVP_PKEY_derive_set_peer(ctx, peer) != 1
		|| EVP_PKEY_derive(ctx, shared, &len) != 1)
		fatal("Diffie-Hellman failed");
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(own);
}

static double measure_limit(void)
{
	clock_us began = clock_ticks(), until = began + duration;
	EVP_PKEY *peer = EVP_EC_gen("P-256");
	unsigned done = 0;

	for (; clock_ticks() < until; done++)
		agree(peer);
	EVP_PKEY_free(peer);
	return done / ((double)(clock_ticks() - began) / CLOCK_SECOND);
}

static void report(const char *what, double rate, double limit)
{
	printf("%-42s %9.0f /s  %5.2f of the limit\n", what, rate, rate / limit);
}

int main(int argc, char **argv)
{
	struct keys_client c;
	double limit;

	if (argc > 1)
		duration = atoi(argv[1]) * CLOCK_SECOND;
	if (argc > 2)
		clients = atoi(argv[2]);
	if (duration <= 0 || clients < 1 || clients > CLIENTS_MAX)
		fatal("usage: bench_keyd [SECONDS [CLIENTS]], at most %d clients", CLIENTS_MAX);
	begin_keyd(&c);
	if (keys_identity_public(&c, recipient) < 0)
		fatal("%s", err_text());
	for (size_t i = 0; i < ARRAY_LEN(samples); i++)
		sample_make(&samples[i], &c);
	limit = measure_limit();
	report("limit: P-256 key and agreement, one thread", limit, limit);
	report("keys of an export", measure(export_one), limit);
	report("seal, tenant key at hand", measure(seal_warm), limit);
	report("seal, tenant key unwrapped each time", measure(seal_cold), limit);
	report("sign a session", measure(sign), limit);
	report("status (the message alone)", measure(ask_status), limit);
	for (size_t i = 0; i < ARRAY_LEN(samples); i++)
		sample_free(&samples[i]);
	end_keyd(&c);
	return check_failures != 0;
}
