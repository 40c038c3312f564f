/* test_keys.h - a real keyd in a folder of its own, for the tests of the key service. Run as root: keyd drops to nobody. */
#ifndef TESTS_TEST_KEYS_H
#define TESTS_TEST_KEYS_H

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "keys/client.h"
#include "keys/ticket.h"
#include "proto/evidence.h"

#include "check.h"

#define PATIENCE_MS 60000       /* longer than any wait of keyd itself: what it says of that is to be heard */

/* A test of the process: once as built for tests, once as it is installed, without sanitizers. */
#define TEST_KEYD(name, covers) \
	static void run_##name(void); \
	TEST(name, covers) \
	{ \
		run_##name(); \
	} \
	TEST(name##_as_installed, covers) \
	{ \
		keyd_program = KEYD_PLAIN_PATH; \
		run_##name(); \
		keyd_program = KEYD_PATH; \
	} \
	static void run_##name(void)

static const char *keyd_program = KEYD_PATH, *keyd_provider = "file";
static char folder[64];
static char socket_path[96], root_path[512], identity_path[96], log_path[96];
static pid_t keyd_pid;

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

static inline void run_keyd(void)
{
	int null = open("/dev/null", O_RDWR), log = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);

	dup2(null, 0);
	dup2(null, 1);
	dup2(log, 2);
	execl(keyd_program, "keyward-keyd", "--socket", socket_path, "--provider", keyd_provider, "--root-key", root_path,
		"--identity", identity_path, "--user", "nobody", "--allow", "root,daemon", "--socket-group", "daemon", (char *)NULL);
	_exit(127);
}

/* Starts keyd; 1 when it answers, 0 when it has ended instead. */
static inline int try_start_keyd(void)
{
	clock_us until = clock_ticks() + PATIENCE_MS * (CLOCK_SECOND / 1000);
	struct keys_client c;
	struct keys_status s;
	int up = 0;

	unlink(socket_path);
	keyd_pid = fork();
	if (keyd_pid == 0)
		run_keyd();
	keys_client_init(&c, socket_path, PATIENCE_MS);
	while (!up && clock_ticks() < until && waitpid(keyd_pid, NULL, WNOHANG) == 0) {
		up = keys_status(&c, &s) == 0;
		if (!up)
			poll(NULL, 0, 10);
	}
	keys_client_close(&c);
	if (!up)
		keyd_pid = 0;
	return up;
}

/* Ends keyd with SIGNAL; its wait status. */
static inline int stop_keyd(int signal)
{
	int status = -1;

	if (keyd_pid) {
		kill(keyd_pid, signal);
		waitpid(keyd_pid, &status, 0);
	}
	keyd_pid = 0;
	return status;
}

static inline void kill_keyd_at_exit(void)
{
	if (keyd_pid)
		kill(keyd_pid, SIGKILL);
}

static inline void begin_folder(void)
{
	static int once;

	if (!once++)
		atexit(kill_keyd_at_exit);
	secret_init();
	snprintf(folder, sizeof folder, "/tmp/keyward-keyd-XXXXXX");
	if (mkdtemp(folder) == NULL || chmod(folder, 0755) < 0)
		fatal("no temporary folder");
	snprintf(socket_path, sizeof socket_path, "%s/socket", folder);
	snprintf(root_path, sizeof root_path, "%s/root", folder);
	snprintf(identity_path, sizeof identity_path, "%s/identity", folder);
	snprintf(log_path, sizeof log_path, "%s/log", folder);
}

static inline void end_folder(void)
{
	stop_keyd(SIGKILL);
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void begin_keyd(struct keys_client *c)
{
	begin_folder();
	if (!try_start_keyd())
		fatal("keyd does not start: see %s", log_path);
	keys_client_init(c, socket_path, PATIENCE_MS);
}

static inline void end_keyd(struct keys_client *c)
{
	keys_client_close(c);
	CHECK_INT(stop_keyd(SIGTERM), 0);
	end_folder();
}

static inline struct wire_view view(const struct buf *b)
{
	return (struct wire_view){ (const uint8_t *)b->data, b->len };
}

/* Where the root key may not be at hand: keyd may start sealed, and takes its time. */
static inline void start_keyd(struct keys_client *c)
{
	if (!try_start_keyd())
		fatal("keyd does not start: see %s", log_path);
	keys_client_init(c, socket_path, 30000);
}

static inline int is_sealed(struct keys_client *c)
{
	struct keys_status st;

	return keys_status(c, &st) < 0 ? -1 : st.sealed;
}

/* What keeps it sealed, -1 where it does not answer. */
static inline int cause_of(struct keys_client *c)
{
	struct keys_status st;

	return keys_status(c, &st) < 0 ? -1 : (int)st.cause;
}

static inline void wait_cause(struct keys_client *c, enum keys_cause wanted)
{
	clock_us until = clock_ticks() + 120 * CLOCK_SECOND;

	while (cause_of(c) != (int)wanted && clock_ticks() < until)
		poll(NULL, 0, 100);
	CHECK_INT(cause_of(c), wanted);
}

static inline void wait_sealed(struct keys_client *c, int wanted)
{
	clock_us until = clock_ticks() + 120 * CLOCK_SECOND;

	while (is_sealed(c) != wanted && clock_ticks() < until)
		poll(NULL, 0, 100);
	CHECK_INT(is_sealed(c), wanted);
}

/* Not from what keyd remembers: a new tenant's key has to be wrapped. */
static inline int wraps(struct keys_client *c)
{
	struct uuid request = uuid_new(), tenant = uuid_new();
	struct buf wrapped = BUF_INIT;
	int rc = keys_tenant_create(c, &request, &tenant, &wrapped);

	buf_free(&wrapped);
	return rc;
}

/* A tenant with one device, as the database would hold them. */
struct sample {
	struct uuid request, tenant, device, agent;
	struct secret *agent_secret;         /* its signing key */
	uint8_t agent_key[KEYS_POINT_SIZE], ticket_key[KEYS_TICKET_KEY_SIZE];
	struct buf wrapped_tenant, wrapped_device;
	struct keys_device named;
};

static inline void sample_make(struct sample *s, struct keys_client *c)
{
	memset(s, 0, sizeof *s);
	s->request = uuid_new();
	s->tenant = uuid_new();
	s->device = uuid_new();
	s->agent = uuid_new();
	s->agent_secret = proto_key_new(s->agent_key);
	CHECK(s->agent_secret != NULL);
	CHECK_INT(keys_ticket_key(c, &s->request, 1, 0, s->ticket_key), 0);
	CHECK_INT(keys_tenant_create(c, &s->request, &s->tenant, &s->wrapped_tenant), 0);
	s->named = (struct keys_device){ s->tenant, view(&s->wrapped_tenant), s->device, 1 };
	CHECK_INT(keys_device_create(c, &s->request, &s->named, KEYS_DEVICE_KEY_SIZE, &s->wrapped_device), 0);
}

static inline void sample_free(struct sample *s)
{
	buf_free(&s->wrapped_tenant);
	buf_free(&s->wrapped_device);
	secret_free(s->agent_secret);
}

/* What the database and the agent would say for it: all that is asked for is approved. It lives as long as STORE. */
struct sample_proof {
	uint8_t ticket[TICKET_SIZE], signature[KEYS_SIGNATURE_SIZE];
};
#define SAMPLE_DEVICE "vol-1"

static inline struct keys_proof sample_prove(const struct sample *s, enum ticket_kind kind, const struct uuid *tenant, const struct uuid *object,
	uint32_t version, const uint8_t *recipient, struct sample_proof *store)
{
	const struct ticket_claims claims = { .kind = kind, .tenant = *tenant, .object = *object, .version = version, .request = s->request,
		.agent = s->agent, .recipient = recipient };
	const struct proto_recipient signed_one = { .account = *tenant, .agent = s->agent, .device = SAMPLE_DEVICE, .key = recipient };
	struct proto_signer signer = proto_signer_of(s->agent_secret);

	ticket_make(s->ticket_key, 1, &claims, clock_now() + TICKET_LIFE_S * CLOCK_SECOND, s->agent_key, store->ticket);
	if (proto_recipient_sign(&signed_one, &signer, store->signature) < 0)
		memset(store->signature, 0, sizeof store->signature);
	return (struct keys_proof){ { store->ticket, sizeof store->ticket }, SAMPLE_DEVICE, store->signature };
}

static inline struct keys_proof sample_approve(const struct sample *s, const struct keys_device *named, const uint8_t *recipient,
	struct sample_proof *store)
{
	return sample_prove(s, TICKET_DEVICE, &named->tenant, &named->device, named->version, recipient, store);
}

/* The sample's key sealed to RECIPIENT, as approved; the code. */
static inline int sample_seal(struct keys_client *c, const struct sample *s, const uint8_t *recipient, struct buf *jwe)
{
	struct sample_proof store;
	const struct keys_proof proof = sample_approve(s, &s->named, recipient, &store);

	return keys_device_seal(c, &s->request, &s->named, view(&s->wrapped_device), &s->agent, recipient, &proof, jwe);
}

/* The same for a person who has asked for it, played by the sample's agent. */
static inline int sample_copy(struct keys_client *c, const struct sample *s, const struct keys_device *named, const struct uuid *clone,
	uint32_t version, struct buf *out)
{
	struct sample_proof store;
	uint8_t point[TICKET_POINT_SIZE];

	ticket_copy(clone, version, point);
	return keys_device_rewrap(c, &s->request, named, view(&s->wrapped_device), clone, version, &(struct keys_asked){ s->agent,
		sample_prove(s, TICKET_COPY, &named->tenant, &named->device, named->version, point, &store).ticket }, out);
}

static inline int sample_export(struct keys_client *c, const struct sample *s, const struct keys_device *named, struct wire_view wrapped,
	const struct secret *key, const struct buf *fields, struct buf *out)
{
	struct sample_proof store;
	uint8_t point[TICKET_POINT_SIZE];

	ticket_export(key->data, point);
	return keys_device_export(c, &s->request, named, wrapped, key, fields, &(struct keys_asked){ s->agent,
		sample_prove(s, TICKET_EXPORT, &named->tenant, &named->device, named->version, point, &store).ticket }, out);
}

#ifdef AGENT_GUEST_SEALED_H
/* The sample's device key, sealed by keyd and opened as a guest would. The caller frees. */
static inline struct secret *sample_key(struct sample *s, struct keys_client *c)
{
	struct sealed_expected e = { s->tenant, s->device, s->request, s->agent, s->named.version };
	struct secret *key = NULL;
	struct sealed *own = NULL;
	struct buf jwe = BUF_INIT;
	uint8_t point[SEALED_POINT_SIZE];
	int rc = sealed_new(&own);

	if (rc == 0) {
		sealed_public(own, point);
		rc = sample_seal(c, s, point, &jwe);
	}
	if (rc == 0)
		rc = sealed_open(own, jwe.data, jwe.len, &e, &key);
	if (rc < 0)
		printf("    no key: %s: %s\n", err_name(rc), err_text());
	sealed_free(own);
	buf_free(&jwe);
	return key;
}
#endif

/* Asks for a device key sealed to a key of our own; the code. */
static inline int seal_as(struct keys_client *c, const struct sample *s, const struct keys_device *named, struct wire_view device)
{
	struct sealed *own = NULL;
	struct buf jwe = BUF_INIT;
	uint8_t point[SEALED_POINT_SIZE];
	struct sample_proof store;
	struct keys_proof proof;
	int rc;

	CHECK_INT(sealed_new(&own), 0);
	sealed_public(own, point);
	proof = sample_approve(s, named, point, &store);
	rc = keys_device_seal(c, &s->request, named, device, &s->agent, point, &proof, &jwe);
	CHECK(rc == 0 ? jwe.len > 0 : jwe.len == 0);
	sealed_free(own);
	buf_free(&jwe);
	return rc;
}

#endif
