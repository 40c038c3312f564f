/* kmip_server.h - a real KMIP server for tests: PyKMIP in a folder of its own, with an authority, a server's and a client's certificate. */
#ifndef TESTS_KMIP_SERVER_H
#define TESTS_KMIP_SERVER_H

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

/* Of a kind that costs nothing to make; those of the tests in Python are RSA keys (tests/lib/kmip.py). */
#define KMIP_KEY "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"

static char kmip_folder[64];
static unsigned kmip_port;
static pid_t kmip_pid;

__attribute__((format(printf, 1, 2))) static inline int kmip_shell(const char *fmt, ...)
{
	char command[2048];
	va_list ap;
	int status;

	va_start(ap, fmt);
	vsnprintf(command, sizeof command, fmt, ap);
	va_end(ap);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A port that nobody has, and that nobody is given by the kernel before the server takes it; by the name of a Unix socket it is ours among
 * tests at the same time until this process ends (tools/stack/ports.py). */
static inline unsigned kmip_free_port(void)
{
	for (;;) {
		union { struct sockaddr any; struct sockaddr_in four; struct sockaddr_un local; } at = { .local = { .sun_family = AF_UNIX } };
		unsigned port = 12000 + randombytes_uniform(32768 - 12000);
		int claim = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), free_now;
		int len = snprintf(at.local.sun_path + 1, sizeof at.local.sun_path - 1, "keyward-port-%u", port);

		free_now = bind(claim, &at.any, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) == 0;
		memset(&at, 0, sizeof at);
		at.four.sin_family = AF_INET;
		at.four.sin_port = htons((uint16_t)port);
		free_now = free_now && bind(fd, &at.any, sizeof at.four) == 0;
		close(fd);
		if (free_now)
			return port;
		close(claim);
	}
}

static inline int kmip_connects(void)
{
	union { struct sockaddr any; struct sockaddr_in four; } at = { .four = { .sin_family = AF_INET } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ok;

	at.four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.four.sin_port = htons((uint16_t)kmip_port);
	ok = connect(fd, &at.any, sizeof at.four) == 0;
	close(fd);
	return ok;
}

/* Starts the server on its old data, or makes it begin. */
static inline void kmip_start(void)
{
	char conf[96], log[96], out[96];
	clock_us until = clock_ticks() + 120 * CLOCK_SECOND;

	snprintf(conf, sizeof conf, "%s/server.conf", kmip_folder);
	snprintf(log, sizeof log, "%s/log", kmip_folder);
	snprintf(out, sizeof out, "%s/out", kmip_folder);
	kmip_pid = fork();
	if (kmip_pid == 0) {
		setpgid(0, 0);
		int null = open("/dev/null", O_RDONLY), to = open(out, O_WRONLY | O_CREAT | O_APPEND, 0600);

		dup2(null, 0);
		dup2(to, 1);
		dup2(to, 2);
		unsetenv("LD_PRELOAD");
		execl("/usr/bin/python3", "python3", "-W", "ignore", "/usr/bin/pykmip-server", "-f", conf, "-l", log, (char *)NULL);
		_exit(127);
	}
	setpgid(kmip_pid, kmip_pid);
	while (!kmip_connects()) {
		if (waitpid(kmip_pid, NULL, WNOHANG) != 0 || clock_ticks() > until)
			fatal("PyKMIP does not start: see %s", out);
		poll(NULL, 0, 50);
	}
}

/* It takes its time to stop by itself, and has nothing to lose. A process of its own watches its policies. */
static inline void kmip_stop(void)
{
	if (kmip_pid) {
		kill(-kmip_pid, SIGKILL);
		waitpid(kmip_pid, NULL, 0);
	}
	kmip_pid = 0;
}

static inline void kmip_end(void)
{
	kmip_stop();
	if (*kmip_folder)
		kmip_shell("rm -rf %s", kmip_folder);
	*kmip_folder = '\0';
}

/* NAME.crt and NAME.key for USE, signed by the test's authority. */
static inline void kmip_certify(const char *name, const char *use)
{
	if (kmip_shell("cd %s && openssl req " KMIP_KEY " -subj /CN=%s -keyout %s.key -out %s.csr 2>>out && printf 'extendedKeyUsage="
		"%s\\nsubjectAltName=IP:127.0.0.1,DNS:localhost\\n' >%s.ext && openssl x509 -req -in %s.csr -CA ca.crt -CAkey ca.key"
		" -CAcreateserial -days 30 -extfile %s.ext -out %s.crt 2>>out", kmip_folder, name, name, name, use, name, name, name, name) != 0)
		fatal("no certificate for %s", name);
}

static inline void kmip_begin(void)
{
	static int once;

	if (!once++)
		atexit(kmip_end);
	snprintf(kmip_folder, sizeof kmip_folder, "/tmp/keyward-kmip-XXXXXX");
	if (mkdtemp(kmip_folder) == NULL)
		fatal("no temporary folder");
	kmip_port = kmip_free_port();
	if (kmip_shell("cd %s && mkdir policies && openssl req -x509 " KMIP_KEY " -days 30 -subj /CN=test-ca -keyout ca.key -out ca.crt"
		" 2>>out && printf '[server]\\nhostname=127.0.0.1\\nport=%u\\ncertificate_path=%s/server.crt\\nkey_path=%s/server.key\\n"
		"ca_path=%s/ca.crt\\nauth_suite=TLS1.2\\npolicy_path=%s/policies\\nenable_tls_client_auth=True\\nlogging_level=INFO\\n"
		"database_path=%s/pykmip.db\\n' >server.conf", kmip_folder, kmip_port, kmip_folder, kmip_folder, kmip_folder, kmip_folder,
		kmip_folder) != 0)
		fatal("no authority");
	kmip_certify("server", "serverAuth");
	kmip_certify("client", "clientAuth");
	kmip_start();
}

#endif
