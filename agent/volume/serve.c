/* serve.c - keyward-volume, the process of the user-space engine: takes a device key, serves the plaintext of one LUKS2 volume, or of
 * an array of several with a key for each, as a block device, and ends when nobody uses that any more. It alone holds the volume key; it writes neither key nor
 * plaintext anywhere but through the block device. Its interface is serve.h; nobody starts it by hand. */
#include "agent/volume/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/volume/fusefile.h"
#include "agent/volume/harden.h"
#include "agent/volume/header.h"
#include "agent/volume/loop.h"
#include "agent/volume/plain.h"
#include "agent/volume/state.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/ipc.h"
#include "base/log.h"

/* A disk works on as many large requests at once as threads wait for it (small ones: ioqueue.h); the page cache answers at once. More than both
 * where there are more cores to encipher with. */
#define THREADS_DISK 32
#define THREADS_FILE 16
#define THREADS_MOST 64
#define PRIME_BYTES 65536

struct server {
	const char *run_dir;
	struct volume_open_params params;
	struct volume_part parts[VOLUME_PARTS_MAX];  /* key: NULL; paths of argv */
	size_t parts_count;
	char file[STATE_FILE_MAX], device[VOLUME_TEXT_MAX];
	struct stripe *stripe;
	struct fusefile *fuse;
};

static int receive_key(struct secret **out)
{
	struct secret *key = secret_new(SERVE_KEY_MAX);
	ssize_t n;

	do
		n = recv(SERVE_FD, key->data, key->len, MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n <= 0 || n > SERVE_KEY_MAX) {
		secret_free(key);
		return err_set(ERR_INVALID, "no device key");
	}
	key->len = (size_t)n;
	*out = key;
	return 0;
}

static int unlock(const char *path, const struct volume_encryption *expected, uint64_t size, const struct secret *key,
	struct plain_segment *segment, struct secret **volume_key)
{
	struct crypt_device *cd = NULL;
	int rc = header_load(path, &cd);

	if (rc == 0)
		rc = header_expect(cd, expected);
	if (rc == 0)
		rc = header_unlock(cd, size, key, segment, volume_key);
	crypt_free(cd);
	return rc;
}

static int open_plain(const char *path, const struct volume_open_params *p, const struct secret *key, struct plain **out)
{
	struct plain_segment segment = { .read_only = p->read_only };
	struct secret *volume_key = NULL;
	struct backing backing;
	int rc = backing_open(path, p->read_only, &backing);

	if (rc < 0)
		return rc;
	rc = unlock(path, &p->expected, backing.size, key, &segment, &volume_key);
	/* libcryptsetup locks its secrets itself, and unlocks the pages that they were on: the ciphers' keys will lie there. */
	harden_memory();
	if (rc == 0)
		rc = plain_new(&backing, &segment, volume_key, out);
	if (rc < 0) {
		secret_free(volume_key);
		backing_close(&backing);
	}
	return rc;
}

/* All parts or nothing. */
static int open_all(struct server *s)
{
	struct plain *plains[VOLUME_PARTS_MAX];
	struct secret *key = NULL;
	size_t count = 0;
	int rc = 0;

	for (; rc == 0 && count < s->parts_count; count += rc == 0) {
		rc = receive_key(&key);
		if (rc == 0)
			rc = open_plain(s->parts[count].path, &s->params, key, &plains[count]);
		if (rc < 0)
			err_wrap(rc, "%s", s->parts[count].path);
		secret_free(key);
		key = NULL;
	}
	if (rc == 0)
		return stripe_new(plains, count, s->params.chunk, &s->stripe);
	while (count > 0)
		plain_free(plains[--count]);
	return rc;
}

/* A loop device turns "make these zeros" into the same hole as a discard, and a hole in ciphertext does not read as zeros. It
 * stops offering to make zeros once that was refused; so that is provoked here, with the zeros that the kernel then writes
 * instead thrown away. Only afterwards are holes discards and nothing else. */
static void end_zeroing(struct server *s)
{
	int fd = open(s->device, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	fusefile_drop_writes(s->fuse, 1);
	if (fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, PRIME_BYTES) < 0)
		log_debug("zeroing was refused", "reason", strerror(errno), NULL);
	fusefile_drop_writes(s->fuse, 0);
	close(fd);
}

static int offers_zeroing(const char *device)
{
	char path[VOLUME_TEXT_MAX + 64];
	long long most = 1;
	FILE *f;

	snprintf(path, sizeof path, "/sys/block/%s/queue/write_zeroes_max_bytes", device + strlen("/dev/"));
	f = fopen(path, "re");
	if (f == NULL)
		return 1;
	if (fscanf(f, "%lld", &most) != 1)
		most = 1;
	fclose(f);
	return most != 0;
}

static int attach(struct server *s, const char *point)
{
	char path[VOLUME_PATH_MAX + STATE_FILE_MAX];
	int fd, rc;

	snprintf(path, sizeof path, "%s/%s", point, s->file);
	fd = open(path, (s->params.read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (fd < 0)
		return err_set(ERR_IO, "%s: %s", path, strerror(errno));
	rc = loop_attach(fd, stripe_unit(s->stripe), s->params.read_only, s->device);
	close(fd);
	if (rc < 0 || s->params.read_only)
		return rc;
	end_zeroing(s);
	if (s->params.discards && !offers_zeroing(s->device))
		stripe_allow_discards(s->stripe);
	else if (s->params.discards)
		log_warning("this kernel cannot tell discards from zeros; discards stay off", "volume", s->params.name, NULL);
	return 0;
}

static int count_threads(const struct server *s)
{
	int least = stripe_is_device(s->stripe) ? THREADS_DISK : THREADS_FILE, threads = 2 * (int)sysconf(_SC_NPROCESSORS_ONLN);

	return threads < least ? least : threads > THREADS_MOST ? THREADS_MOST : threads;
}

/* The file is reachable by path only for this moment: afterwards just the loop device holds it. */
static int publish(struct server *s)
{
	char point[VOLUME_PATH_MAX];
	int rc;

	state_mount_point(s->run_dir, s->params.name, point);
	state_file_name(s->run_dir, s->params.name, s->file);
	if (mkdir(point, 0700) < 0 && errno != EEXIST)
		return err_set(ERR_IO, "%s: %s", point, strerror(errno));
	rc = fusefile_start(s->stripe, s->file, point, count_threads(s), &s->fuse);
	if (rc == 0)
		rc = attach(s, point);
	if (s->fuse && umount2(point, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && rc == 0)
		rc = err_set(ERR_IO, "%s: %s", point, strerror(errno));
	rmdir(point);
	return rc;
}

static int remember(const struct server *s)
{
	struct volume_state state = { .read_only = s->params.read_only, .parts = (int)s->parts_count };

	snprintf(state.name, sizeof state.name, "%s", s->params.name);
	snprintf(state.path, sizeof state.path, "%s", s->params.path);
	snprintf(state.engine, sizeof state.engine, "userspace");
	snprintf(state.kept_device, sizeof state.kept_device, "%s", s->device);
	snprintf(state.kept_file, sizeof state.kept_file, "%s", s->file);
	return state_save(s->run_dir, &state);
}

static int answer(const struct server *s, int rc)
{
	struct buf text = BUF_INIT;

	if (rc < 0)
		buf_printf(&text, "%s %s", err_name(rc), err_text());
	else
		buf_printf(&text, "ok %s", s->device);
	rc = ipc_send(SERVE_FD, &text);
	close(SERVE_FD);
	buf_free(&text);
	return rc;
}

static int begin(struct server *s, int argc, char **argv)
{
	int rc;

	s->run_dir = argv[SERVE_RUN_DIR];
	s->params = (struct volume_open_params){ .name = argv[SERVE_NAME], .path = argv[SERVE_PATH],
		.read_only = argv[SERVE_ACCESS][0] == 'r', .discards = strchr(argv[SERVE_ACCESS], 'd') != NULL,
		.chunk = (uint32_t)strtoul(argv[SERVE_CHUNK], NULL, 10),
		.expected = { argv[SERVE_ENCRYPTION], (unsigned)strtoul(argv[SERVE_KEY_BITS], NULL, 10) } };
	s->parts_count = (size_t)(argc - SERVE_PATH);
	for (size_t i = 0; i < s->parts_count; i++)
		s->parts[i].path = argv[SERVE_PATH + i];
	rc = state_check_name(s->params.name);
	if (rc == 0)
		rc = state_lock(s->run_dir, s->params.name);
	if (rc == 0)
		rc = open_all(s);
	if (rc == 0)
		rc = publish(s);
	return rc == 0 ? remember(s) : rc;
}

/* Wipes the keys. What was written but never flushed is flushed: it costs nothing and loses less. */
static void end(struct server *s)
{
	if (s->fuse)
		fusefile_stop(s->fuse);
	if (s->stripe && !s->params.read_only && stripe_flush(s->stripe) < 0)
		log_error("last flush failed", "volume", s->params.name, "reason", err_text(), NULL);
	stripe_free(s->stripe);
}

static void wake_main(void)
{
	kill(getpid(), SERVE_SIGNAL_END);
}

/* Signals that end other processes are left blocked: at shutdown file systems need us until they are unmounted. */
static void block_signals(sigset_t *end_signal)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigemptyset(end_signal);
	sigaddset(end_signal, SERVE_SIGNAL_END);
}

int main(int argc, char **argv)
{
	struct server s = { .run_dir = NULL };
	sigset_t end_signal;
	int rc, signal;

	log_open("keyward-volume", LOG_LEVEL_INFO);
	if (argc <= SERVE_PATH || argc > SERVE_PATH + VOLUME_PARTS_MAX || fcntl(SERVE_FD, F_GETFD) < 0)
		fatal("keyward-volume is started by the agent, not by hand");
	if (fork() != 0)
		_exit(0);
	harden_process(SERVE_FD);
	secret_init();
	block_signals(&end_signal);
	if (chdir("/") < 0)
		fatal("chdir: %s", strerror(errno));
	rc = begin(&s, argc, argv);
	if (answer(&s, rc) == 0 && rc == 0) {
		harden_drop_capabilities();
		harden_system_calls();
		fusefile_on_end(s.fuse, wake_main);
		sigwait(&end_signal, &signal);
	} else if (s.device[0]) {
		loop_detach(s.device);
	}
	end(&s);
	_exit(rc < 0);
}
