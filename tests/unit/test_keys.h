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

#include "check.h"

#define PATIENCE_MS 10000

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

/* A tenant with one device, as the database would hold them. */
struct sample {
	struct uuid request, tenant, device, agent;
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
	CHECK_INT(keys_tenant_create(c, &s->request, &s->tenant, &s->wrapped_tenant), 0);
	s->named = (struct keys_device){ s->tenant, view(&s->wrapped_tenant), s->device, 1 };
	CHECK_INT(keys_device_create(c, &s->request, &s->named, KEYS_DEVICE_KEY_SIZE, &s->wrapped_device), 0);
}

static inline void sample_free(struct sample *s)
{
	buf_free(&s->wrapped_tenant);
	buf_free(&s->wrapped_device);
}

#ifdef AGENT_SEALED_H
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
		rc = keys_device_seal(c, &s->request, &s->named, view(&s->wrapped_device), &s->agent, point, &jwe);
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
	int rc;

	CHECK_INT(sealed_new(&own), 0);
	sealed_public(own, point);
	rc = keys_device_seal(c, &s->request, named, device, &s->agent, point, &jwe);
	CHECK(rc == 0 ? jwe.len > 0 : jwe.len == 0);
	sealed_free(own);
	buf_free(&jwe);
	return rc;
}

#endif
