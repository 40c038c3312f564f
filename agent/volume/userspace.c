/* userspace.c - the engine for kernels without dm-crypt: one keyward-volume process per open volume (serve.c), which serves
 * the plaintext as a file that a loop device turns into a block device. It outlives this process; its lock says that it
 * lives, and it ends by itself when the loop device lets go of the file. */
#include "agent/volume/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/volume/loop.h"
#include "agent/volume/serve.h"
#include "agent/volume/state.h"
#include "base/err.h"
#include "base/mem.h"

#define ANSWER_MS 120000          /* an adopted volume's own key slots may be slow to try */
#define END_MS 10000
#define POLL_MS 10

static int supported(void)
{
	return access("/dev/fuse", R_OK | W_OK) == 0 && access("/dev/loop-control", R_OK | W_OK) == 0;
}

/* The at sign tells systemd's last killing round at shutdown that file systems still need this process. */
#define PROCESS_NAME "@keyward-volume"

static int start(const struct volume_env *env, const struct volume_open_params *p, int socket)
{
	const char *program = env->program ? env->program : KEYWARD_VOLUME_PROGRAM;
	char *argv[SERVE_PATH + VOLUME_PARTS_MAX + 1] = { mem_strdup(PROCESS_NAME) }, *none[] = { NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t signals;
	pid_t pid;
	int error;

	argv[SERVE_RUN_DIR] = mem_strdup(env->run_dir);
	argv[SERVE_NAME] = mem_strdup(p->name);
	argv[SERVE_ACCESS] = mem_printf("%s%s", p->read_only ? "r" : "w", p->discards ? "d" : "");
	argv[SERVE_CHUNK] = mem_printf("%u", p->chunk);
	argv[SERVE_ENCRYPTION] = mem_strdup(p->expected.name ? p->expected.name : "");
	argv[SERVE_KEY_BITS] = mem_printf("%u", p->expected.key_bits);
	argv[SERVE_PATH] = mem_strdup(p->path);
	for (size_t i = 0; i < p->more_count; i++)
		argv[SERVE_PATH + 1 + i] = mem_strdup(p->more[i].path);
	posix_spawn_file_actions_init(&actions);
	/* Whoever reads our output must not wait for a process that stays; errors it may log, where a service does. */
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, 0, 1);
	if (env->brief)
		posix_spawn_file_actions_adddup2(&actions, 0, 2);
	posix_spawn_file_actions_adddup2(&actions, socket, SERVE_FD);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	sigemptyset(&signals);
	posix_spawnattr_setsigmask(&attributes, &signals);
	sigfillset(&signals);
	posix_spawnattr_setsigdefault(&attributes, &signals);
	error = posix_spawn(&pid, program, &actions, &attributes, argv, none);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	for (size_t i = 0; argv[i]; i++)
		free(argv[i]);
	if (error)
		return err_set(error == ENOENT ? ERR_UNSUPPORTED : ERR_IO, "%s: %s", program, strerror(error));
	/* It forks and leaves the work to its child, so that nobody has to wait for that one. */
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

/* "ok /dev/loop0", or the name of an error and its text. */
static int parse_answer(const char *answer, char device[static VOLUME_TEXT_MAX])
{
	char code[32] = "";
	int from = 0;

	sscanf(answer, "%31s %n", code, &from);
	if (strcmp(code, "ok") != 0)
		return err_set(err_code(code) ? err_code(code) : ERR_INTERNAL, "%s", answer[0] ? answer + from : "no answer");
	snprintf(device, VOLUME_TEXT_MAX, "%s", answer + from);
	return 0;
}

static int send_key(int socket, const struct secret *key)
{
	return send(socket, key->data, key->len, MSG_NOSIGNAL) == (ssize_t)key->len;
}

/* One after the other; when it wants no more of them, its answer says why. */
static void send_keys(int socket, const struct volume_open_params *p, const struct secret *device_key)
{
	int taken = send_key(socket, device_key);

	for (size_t i = 0; taken && i < p->more_count; i++)
		taken = send_key(socket, p->more[i].key);
}

static int check_keys(const struct volume_open_params *p, const struct secret *device_key)
{
	size_t least = device_key->len, most = device_key->len;

	for (size_t i = 0; i < p->more_count; i++) {
		least = p->more[i].key->len < least ? p->more[i].key->len : least;
		most = p->more[i].key->len > most ? p->more[i].key->len : most;
	}
	return least > 0 && most <= SERVE_KEY_MAX ? 0 : err_set(ERR_INVALID, "a device key has 1 to %d bytes", SERVE_KEY_MAX);
}

static int talk(int socket, const struct volume_open_params *p, const struct secret *device_key, char device[static VOLUME_TEXT_MAX])
{
	struct pollfd wait = { .fd = socket, .events = POLLIN };
	char answer[VOLUME_PATH_MAX] = "";
	ssize_t got;
	int n;

	send_keys(socket, p, device_key);
	do
		n = poll(&wait, 1, ANSWER_MS);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return err_set(ERR_TIMEOUT, "keyward-volume does not answer");
	got = recv(socket, answer, sizeof answer - 1, 0);
	if (got <= 0)
		return err_set(ERR_UNAVAILABLE, "keyward-volume ended without an answer");
	return parse_answer(answer, device);
}

static int wait_for_end(const struct volume_env *env, const char *name, int ms)
{
	for (; ms > 0 && state_holder(env->run_dir, name); ms -= POLL_MS)
		usleep(POLL_MS * 1000);
	return state_holder(env->run_dir, name) == 0;
}

/* What a killed process leaves: a loop device without its file, perhaps a mount of which nobody answers. */
static void clean_up(const struct volume_env *env, const char *name, const char *file)
{
	char device[VOLUME_TEXT_MAX], point[VOLUME_PATH_MAX];

	for (int i = 0; i < 4 && loop_find(file, device) == 0; i++)
		loop_detach(device);
	state_mount_point(env->run_dir, name, point);
	/* Forced, it also wakes whoever still waits for an answer. */
	umount2(point, MNT_FORCE | UMOUNT_NOFOLLOW);
	umount2(point, MNT_DETACH | UMOUNT_NOFOLLOW);
	rmdir(point);
}

static int userspace_open(const struct volume_env *env, const struct volume_open_params *p, const struct secret *device_key,
	char device[static VOLUME_TEXT_MAX])
{
	char file[STATE_FILE_MAX];
	int ends[2], rc = check_keys(p, device_key);

	if (rc < 0)
		return rc;
	if (state_holder(env->run_dir, p->name))
		return err_set(ERR_BUSY, "volume %s is being opened or closed", p->name);
	state_file_name(env->run_dir, p->name, file);
	clean_up(env, p->name, file);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_set(ERR_IO, "socket: %s", strerror(errno));
	rc = start(env, p, ends[1]);
	close(ends[1]);
	if (rc == 0)
		rc = talk(ends[0], p, device_key, device);
	close(ends[0]);
	/* It has said no and ends: whoever tries again at once, with the right key perhaps, must not find it busy. */
	if (rc < 0)
		wait_for_end(env, p->name, END_MS);
	return rc;
}

/* Asked by signal it wipes its keys before it ends; killed it cannot. */
static void end_process(const struct volume_env *env, const char *name)
{
	pid_t pid = state_holder(env->run_dir, name);

	if (pid > 0)
		kill(pid, SERVE_SIGNAL_END);
	if (pid > 0 && !wait_for_end(env, name, END_MS) && state_holder(env->run_dir, name) == pid)
		kill(pid, SIGKILL);
}

static int userspace_close(const struct volume_env *env, const struct volume_state *state, int force)
{
	int rc = state->device[0] ? loop_detach(state->device) : 0;

	if (rc < 0 && !force)
		return rc;
	if (!wait_for_end(env, state->name, force ? END_MS / 10 : END_MS)) {
		if (!force)
			return err_set(ERR_BUSY, "volume %s closes when its last user closes %s", state->name, state->device);
		end_process(env, state->name);
		if (!wait_for_end(env, state->name, END_MS))
			return err_set(ERR_BUSY, "keyward-volume of %s does not end", state->name);
	}
	clean_up(env, state->name, state->kept_file);
	return 0;
}

static int userspace_alive(const struct volume_env *env, const struct volume_state *state)
{
	return state_holder(env->run_dir, state->name) != 0;
}

static int userspace_find(const struct volume_state *state, char device[static VOLUME_TEXT_MAX])
{
	/* A killed predecessor's may still be there, held by somebody. */
	if (!loop_has_file(state->kept_device, state->kept_file))
		return loop_find(state->kept_file, device);
	snprintf(device, VOLUME_TEXT_MAX, "%s", state->kept_device);
	return 0;
}

const struct volume_engine volume_userspace = {
	.name = "userspace",
	.supported = supported,
	.open = userspace_open,
	.close = userspace_close,
	.alive = userspace_alive,
	.find = userspace_find,
};
