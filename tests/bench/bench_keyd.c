/* bench_keyd.c - what a key release costs in keyd: bench_keyd [SECONDS [CLIENTS]]. Run as root, from a build without sanitizers.
 *
 * The limit is one P-256 key generation and one Diffie-Hellman in this process, each in OpenSSL's usual way. */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <limits.h>
#include <pthread.h>
#include <time.h>

#include "agent/guest/sealed.h"
#include "base/exported.h"
#include "base/mem.h"
#include "keys/cache.h"
#include "test_keys.h"

#define CLIENTS_MAX 64
#define TENANTS_COLD (4 * CACHE_TENANTS)     /* in turn: none is ever found unwrapped */
#define TENANTS_WARM 8
#define NEW_MAX 16000                        /* signatures that keyd has never seen */

static clock_us duration = 2 * CLOCK_SECOND;
static int clients = 4;
static struct sample samples[TENANTS_COLD];
static uint8_t recipient[KEYS_POINT_SIZE];

/* What database and agent make is made before the measured time. */
struct approval {
	struct sample_proof store;
	struct keys_proof proof;
	char device[16];
};
static struct approval known[TENANTS_COLD], fresh[NEW_MAX];

struct worker {
	int (*work)(struct keys_client *c, unsigned turn);
	pthread_t thread;
	unsigned done, number, most;
};

static int seal(struct keys_client *c, struct sample *s, const struct keys_proof *proof)
{
	struct buf jwe = BUF_INIT;
	int rc = keys_device_seal(c, &s->request, &s->named, view(&s->wrapped_device), &s->agent, recipient, proof, &jwe);

	buf_free(&jwe);
	return rc;
}

static int seal_warm(struct keys_client *c, unsigned turn)
{
	return seal(c, &samples[turn % TENANTS_WARM], &known[turn % TENANTS_WARM].proof);
}

static int seal_cold(struct keys_client *c, unsigned turn)
{
	return seal(c, &samples[turn % TENANTS_COLD], &known[turn % TENANTS_COLD].proof);
}

static int seal_new(struct keys_client *c, unsigned turn)
{
	return seal(c, &samples[turn % TENANTS_WARM], &fresh[turn].proof);
}

static void approve(struct approval *a, const struct sample *s, const char *device)
{
	const struct proto_recipient named = { .account = s->tenant, .agent = s->agent, .device = a->device, .key = recipient };
	struct proto_signer signer = proto_signer_of(s->agent_secret);

	a->proof = sample_approve(s, &s->named, recipient, &a->store);
	snprintf(a->device, sizeof a->device, "%s", device);
	a->proof.device = a->device;
	if (proto_recipient_sign(&named, &signer, a->store.signature) < 0)
		fatal("%s", err_text());
}

static void approve_all(void)
{
	char device[16];

	for (unsigned i = 0; i < TENANTS_COLD; i++)
		approve(&known[i], &samples[i], SAMPLE_DEVICE);
	for (unsigned i = 0; i < NEW_MAX; i++) {
		snprintf(device, sizeof device, "new-%u", i);
		approve(&fresh[i], &samples[i % TENANTS_WARM], device);
	}
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
	for (unsigned turn; clock_ticks() < until && (turn = w->number + w->done * (unsigned)clients) < w->most; w->done++)
		if (w->work(&c, turn) < 0)
			fatal("%s", err_text());
	keys_client_close(&c);
	return NULL;
}

static double used_by(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) < 0)
		fatal("processor time cannot be read");
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double used_by_keyd(void)
{
	clockid_t clock;

	if (clock_getcpuclockid(keyd_pid, &clock) != 0)
		fatal("keyd has ended");
	return used_by(clock);
}

struct result {
	double rate, cost;           /* calls per second of all clients together; microseconds of keyd's processor time for one */
};

static struct result measure(int (*what)(struct keys_client *, unsigned), unsigned most)
{
	static struct worker workers[CLIENTS_MAX];
	clock_us began = clock_ticks();
	double used = used_by_keyd();
	unsigned done = 0;

	for (int i = 0; i < clients; i++) {
		workers[i] = (struct worker){ .work = what, .number = (unsigned)i, .most = most };
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	for (int i = 0; i < clients; i++) {
		pthread_join(workers[i].thread, NULL);
		done += workers[i].done;
	}
	return (struct result){ done / ((double)(clock_ticks() - began) / CLOCK_SECOND), (used_by_keyd() - used) / done };
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

/* Microseconds of processor time. */
static double measure_limit(void)
{
	clock_us until = clock_ticks() + duration;
	EVP_PKEY *peer = EVP_EC_gen("P-256");
	double began = used_by(CLOCK_THREAD_CPUTIME_ID), took;
	unsigned done = 0;

	for (; clock_ticks() < until; done++)
		agree(peer);
	took = used_by(CLOCK_THREAD_CPUTIME_ID) - began;
	EVP_PKEY_free(peer);
	return took / done;
}

static void report(const char *what, struct result r, double limit)
{
	printf("%-42s %9.0f /s  %6.1f us of keyd's processor time  %5.2f\n", what, r.rate, r.cost, limit / r.cost);
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
	approve_all();
	limit = measure_limit();
	printf("%-42s %9.0f /s  %6.1f us, and its ratio to what keyd takes:\n", "limit: P-256 key and agreement, one thread", 1e6 / limit, limit);
	report("keys of an export", measure(export_one, UINT_MAX), limit);
	report("seal, tenant key at hand", measure(seal_warm, UINT_MAX), limit);
	report("seal, tenant key unwrapped each time", measure(seal_cold, UINT_MAX), limit);
	report("seal, signature not seen before", measure(seal_new, NEW_MAX), limit);
	report("sign a session", measure(sign, UINT_MAX), limit);
	report("status (the message alone)", measure(ask_status, UINT_MAX), limit);
	for (size_t i = 0; i < ARRAY_LEN(samples); i++)
		sample_free(&samples[i]);
	end_keyd(&c);
	return check_failures != 0;
}
