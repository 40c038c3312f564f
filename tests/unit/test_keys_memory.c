/* test_keys_memory.c - what keyd shows of its secrets: memory, log, files, privileges; and its JWE in another program's eyes. */
#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/resource.h>

#include "agent/guest/sealed.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/mem.h"

#include "test_keys.h"

#define CHUNK (1u << 20)
#define REGION_MAX ((uint64_t)1 << 36)   /* larger is a sanitizer's shadow, which holds no data */

struct pattern {
	uint8_t bytes[32];
	size_t len;
};

static int count_in_chunk(const uint8_t *chunk, size_t len, const struct pattern *p)
{
	const uint8_t *at = chunk, *end = chunk + len;
	int found = 0;

	while ((at = memmem(at, (size_t)(end - at), p->bytes, p->len)) != NULL) {
		found++;
		at++;
	}
	return found;
}

/* Chunks overlap, so that a pattern across their border is seen; then it may count twice. */
static int count_in_range(int mem, uint64_t from, uint64_t to, const struct pattern *p, size_t count)
{
	static uint8_t chunk[CHUNK];
	int found = 0;
	ssize_t n;

	for (; from < to; from += CHUNK - sizeof p->bytes) {
		n = pread(mem, chunk, to - from < CHUNK ? (size_t)(to - from) : CHUNK, (off_t)from);
		for (size_t i = 0; n > 0 && i < count; i++)
			found += count_in_chunk(chunk, (size_t)n, &p[i]);
	}
	return found;
}

/* How often any of the patterns occurs in the readable memory of process PID, which must be another one. */
static int count_in_memory(pid_t pid, const struct pattern *p, size_t count)
{
	char path[64], line[512], mode[8];
	uint64_t from, to;
	int found = 0, mem;
	FILE *maps;

	snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
	maps = fopen(path, "r");
	snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
	mem = open(path, O_RDONLY);
	CHECK(maps != NULL && mem >= 0);
	while (maps && fgets(line, sizeof line, maps))
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &from, &to, mode) == 3 && mode[0] == 'r' && to - from < REGION_MAX
			&& strstr(line, "[v") == NULL)
			found += count_in_range(mem, from, to, p, count);
	if (maps)
		fclose(maps);
	close(mem);
	return found;
}

static void add_pattern(struct pattern *p, size_t *count, const void *bytes, size_t len)
{
	memcpy(p[*count].bytes, bytes, len);
	p[(*count)++].len = len;
}

/* In parts (an allocator's own notes overwrite the beginning of what is freed, ciphers leave single blocks), and as text. */
static int count_traces(pid_t pid, const struct secret *s)
{
	char *hex = encode_hex(s->data, s->len), *base64 = encode_base64url(s->data, s->len);
	struct pattern p[32];
	size_t count = 0;

	for (size_t at = 0; at + 12 <= s->len; at += 4)
		add_pattern(p, &count, s->data + at, 12);
	add_pattern(p, &count, hex + 8, 24);
	add_pattern(p, &count, base64 + 8, 24);
	free(hex);
	free(base64);
	return count_in_memory(pid, p, count);
}

static int count_root(pid_t pid, const struct buf *root_file)
{
	struct pattern p;
	size_t count = 0;

	add_pattern(&p, &count, root_file->data + 24, 32);
	return count_in_memory(pid, &p, count);
}

/* A child that asks keyd to seal, writes the JWE to OUT, and lives on until GO is closed. */
static pid_t sealing_client(struct sample *s, const uint8_t *point, int out, const int go[2])
{
	struct keys_client c;
	struct buf jwe = BUF_INIT;
	pid_t pid = fork();
	char end;

	if (pid)
		return pid;
	close(go[1]);
	keys_client_init(&c, socket_path, PATIENCE_MS);
	for (int i = 0; i < 5; i++)
		if (sample_seal(&c, s, point, &jwe) < 0)
			_exit(1);
	if (write(out, jwe.data, jwe.len) != (ssize_t)jwe.len || read(go[0], &end, 1) != 0)
		_exit(2);
	_exit(0);
}

TEST_KEYD(no_device_key_stays_in_the_memory_of_keyd_or_its_client, "KEY-4,SEC-4")
{
	struct keys_client c;
	struct sample s;
	struct sealed *own = NULL;
	struct sealed_expected e;
	struct secret *key = NULL;
	uint8_t point[SEALED_POINT_SIZE];
	char jwe[SEALED_JWE_MAX];
	int out[2], go[2], status;
	struct buf root = BUF_INIT;
	ssize_t n;
	pid_t pid;

	begin_keyd(&c);
	sample_make(&s, &c);
	e = (struct sealed_expected){ s.tenant, s.device, s.request, s.agent, 1 };
	CHECK_INT(sealed_new(&own), 0);
	sealed_public(own, point);
	CHECK(pipe2(out, O_CLOEXEC) == 0 && pipe2(go, O_CLOEXEC) == 0);
	pid = sealing_client(&s, point, out[1], go);
	n = read(out[0], jwe, sizeof jwe);
	CHECK_INT(sealed_open(own, jwe, n > 0 ? (size_t)n : 0, &e, &key), 0);
	if (key) {
		CHECK_INT(count_traces(keyd_pid, key), 0);
		CHECK_INT(count_traces(pid, key), 0);
	}
	/* The search finds what is there: keyd holds the root key, once, and the client does not. */
	CHECK_INT(file_read(root_path, 4096, &root), 0);
	CHECK_INT(count_root(keyd_pid, &root), 1);
	CHECK_INT(count_root(pid, &root), 0);
	close(go[1]);
	close(go[0]);
	close(out[0]);
	close(out[1]);
	waitpid(pid, &status, 0);
	CHECK_INT(status, 0);
	buf_free(&root);
	secret_free(key);
	sealed_free(own);
	sample_free(&s);
	end_keyd(&c);
}

/* A child that opens a sealed key as a guest does, tells it to OUT, frees its own, and lives on until GO is closed. */
static pid_t opening_guest(struct sample *s, int out, const int go[2])
{
	struct keys_client c;
	struct secret *key;
	pid_t pid = fork();
	char end;

	if (pid)
		return pid;
	close(go[1]);
	keys_client_init(&c, socket_path, PATIENCE_MS);
	key = sample_key(s, &c);
	if (key == NULL || write(out, key->data, key->len) != (ssize_t)key->len)
		_exit(1);
	secret_free(key);
	_exit(write(out, "", 1) != 1 || read(go[0], &end, 1) != 0);
}

TEST_KEYD(no_device_key_stays_in_the_guest_once_it_is_freed, "KEY-4,SEC-4")
{
	struct keys_client c;
	struct sample s;
	struct secret *key;
	int out[2], go[2], status;
	pid_t pid;
	char freed;

	begin_keyd(&c);
	sample_make(&s, &c);
	CHECK(pipe2(out, O_CLOEXEC) == 0 && pipe2(go, O_CLOEXEC) == 0);
	pid = opening_guest(&s, out[1], go);
	key = secret_new(KEYS_DEVICE_KEY_SIZE);
	CHECK_INT(read(out[0], key->data, key->len), key->len);
	CHECK_INT(read(out[0], &freed, 1), 1);
	CHECK_INT(count_traces(pid, key), 0);
	close(go[1]);
	close(go[0]);
	close(out[0]);
	close(out[1]);
	waitpid(pid, &status, 0);
	CHECK_INT(status, 0);
	secret_free(key);
	sample_free(&s);
	end_keyd(&c);
}

TEST_KEYD(no_protected_secret_stays_in_the_memory_of_keyd, "KEY-4,SEC-4")
{
	struct keys_client c;
	struct sample s;
	struct secret *plain, *got = NULL;
	struct buf blob = BUF_INIT;
	struct keys_object o;

	begin_keyd(&c);
	sample_make(&s, &c);
	plain = secret_random(48);
	o = (struct keys_object){ s.tenant, view(&s.wrapped_tenant), "passphrase", s.device };
	CHECK_INT(keys_protect(&c, &s.request, &o, plain, &blob), 0);
	CHECK_INT(keys_reveal(&c, &s.request, &o, view(&blob), &got), 0);
	CHECK_INT(keys_system_protect(&c, &s.request, "smtp-password", plain, &blob), 0);
	CHECK_INT(count_traces(keyd_pid, plain), 0);
	secret_free(got);
	secret_free(plain);
	buf_free(&blob);
	sample_free(&s);
	end_keyd(&c);
}

/* 1 when TEXT or its hexadecimal or base64url form is in the file. */
static int file_has(const char *path, const void *what, size_t len)
{
	struct buf b = BUF_INIT;
	char *hex = encode_hex(what, len), *base64 = encode_base64url(what, len);
	int found;

	CHECK_INT(file_read(path, 1 << 24, &b), 0);
	found = memmem(b.data, b.len, what, len) || strcasestr(buf_str(&b), hex) || strstr(buf_str(&b), base64);
	free(hex);
	free(base64);
	buf_free(&b);
	return found;
}

TEST_KEYD(the_log_names_requests_and_no_secret, "KEY-4,SEC-4")
{
	struct keys_client c;
	struct sample s;
	struct secret *key, *plain;
	struct buf root = BUF_INIT, blob = BUF_INIT, log = BUF_INIT;
	char request[UUID_TEXT_SIZE], device[UUID_TEXT_SIZE];
	struct uuid tenant_request;

	begin_keyd(&c);
	sample_make(&s, &c);
	tenant_request = s.request;
	s.request = uuid_new();
	key = sample_key(&s, &c);
	plain = secret_random(32);
	CHECK_INT(keys_system_protect(&c, &tenant_request, "smtp-password", plain, &blob), 0);
	CHECK_INT(file_read(log_path, 1 << 20, &log), 0);
	uuid_text(&s.request, request);
	uuid_text(&s.device, device);
	CHECK(strstr(buf_str(&log), "device_seal") != NULL);
	CHECK(strstr(buf_str(&log), request) != NULL);
	CHECK(strstr(buf_str(&log), device) != NULL);
	CHECK_INT(file_read(root_path, 4096, &root), 0);
	CHECK(file_has(root_path, root.data + 24, 32));
	CHECK(!file_has(log_path, root.data + 24, 32));
	CHECK(!file_has(identity_path, root.data + 24, 32));
	CHECK(key && !file_has(log_path, key->data, key->len));
	CHECK(!file_has(log_path, plain->data, plain->len));
	secret_free(key);
	secret_free(plain);
	buf_free(&root);
	buf_free(&blob);
	buf_free(&log);
	sample_free(&s);
	end_keyd(&c);
}

/* The text after NAME: in /proc/PID/FILE, without the white space around it; "" when there is none. */
static const char *proc_value(const char *file, const char *name)
{
	static char line[512];
	char path[64], *value = NULL;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)keyd_pid, file);
	f = fopen(path, "r");
	while (f && value == NULL && fgets(line, sizeof line, f))
		if (strncmp(line, name, strlen(name)) == 0)
			value = line + strlen(name);
	if (f)
		fclose(f);
	while (value && isspace((unsigned char)*value))
		value++;
	if (value)
		value[strcspn(value, "\n")] = '\0';
	return value ? value : "";
}

TEST_KEYD(keyd_runs_confined, "KEY-4,SEC-4")
{
	struct keys_client c;
	struct stat st;
	char path[64];

	begin_keyd(&c);
	CHECK_STR(proc_value("status", "Uid:"), "65534\t65534\t65534\t65534");
	CHECK_STR(proc_value("status", "Gid:"), "65534\t65534\t65534\t65534");
	CHECK_STR(proc_value("status", "Groups:"), "65534 ");
	/* CAP_IPC_LOCK alone, so that it can go on locking memory. */
	CHECK_STR(proc_value("status", "CapPrm:"), "0000000000004000");
	CHECK_STR(proc_value("status", "CapEff:"), "0000000000004000");
	CHECK_STR(proc_value("status", "CapInh:"), "0000000000000000");
	CHECK_STR(proc_value("status", "CapBnd:"), "0000000000000000");
	CHECK_STR(proc_value("status", "NoNewPrivs:"), "1");
	CHECK_STR(proc_value("status", "Seccomp:"), "2");
	CHECK(strncmp(proc_value("limits", "Max core file size"), "0 ", 2) == 0);
	/* A process that may be dumped or traced belongs to its own user here; this one to root. */
	snprintf(path, sizeof path, "/proc/%d/mem", (int)keyd_pid);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_uid, 0);
	if (strcmp(keyd_program, KEYD_PLAIN_PATH) == 0) {
		CHECK_STR(proc_value("status", "VmSwap:"), "0 kB");
		CHECK(atoi(proc_value("status", "VmLck:")) > 4000);
	}
	end_keyd(&c);
}

static int run_quietly(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A JWK's coordinates as a point. */
static void read_point(const char *path, uint8_t point[static KEYS_POINT_SIZE])
{
	struct buf text = BUF_INIT, bytes = BUF_INIT;
	const char *x = "", *y = "";
	json_t *jwk = NULL;

	CHECK_INT(file_read(path, 4096, &text), 0);
	CHECK_INT(json_parse_object(buf_str(&text), text.len, 4096, &jwk), 0);
	CHECK_INT(json_get_string(jwk, "x", 64, &x), 0);
	CHECK_INT(json_get_string(jwk, "y", 64, &y), 0);
	buf_putc(&bytes, 4);
	CHECK_INT(decode_base64url(x, &bytes), 0);
	CHECK_INT(decode_base64url(y, &bytes), 0);
	CHECK_INT(bytes.len, KEYS_POINT_SIZE);
	if (bytes.len == KEYS_POINT_SIZE)
		memcpy(point, bytes.data, KEYS_POINT_SIZE);
	json_decref(jwk);
	buf_free(&text);
	buf_free(&bytes);
}

/* SCRIPT, a shell line run in the test's folder, turns sealed.jwe and own.jwk into the file opened. */
static void check_opens_elsewhere(const char *script)
{
	struct keys_client c;
	struct sample s;
	uint8_t point[KEYS_POINT_SIZE] = { 0 };
	struct buf jwe = BUF_INIT, opened = BUF_INIT;
	struct secret *key;
	char command[8192], path[128];

	begin_keyd(&c);
	sample_make(&s, &c);
	key = sample_key(&s, &c);
	snprintf(command, sizeof command, "cd %s && jose jwk gen -i '{\"kty\":\"EC\",\"crv\":\"P-256\"}' -o own.jwk", folder);
	CHECK_INT(run_quietly(command), 0);
	snprintf(path, sizeof path, "%s/own.jwk", folder);
	read_point(path, point);
	CHECK_INT(sample_seal(&c, &s, point, &jwe), 0);
	snprintf(path, sizeof path, "%s/sealed.jwe", folder);
	CHECK_INT(file_write(path, jwe.data, jwe.len, 0600), 0);
	snprintf(command, sizeof command, "cd %s && %s", folder, script);
	CHECK_INT(run_quietly(command), 0);
	snprintf(path, sizeof path, "%s/opened", folder);
	CHECK_INT(file_read(path, 4096, &opened), 0);
	CHECK(key && opened.len == key->len && memcmp(opened.data, key->data, key->len) == 0);
	secret_free(key);
	buf_free(&jwe);
	buf_free(&opened);
	sample_free(&s);
	end_keyd(&c);
}

TEST_KEYD(the_jose_tool_opens_what_keyd_seals, "KEY-4")
{
	check_opens_elsewhere("jose jwe dec -i sealed.jwe -k own.jwk -O opened");
}

/* Written from RFC 7516 and RFC 7518, 4.6, with none of libjose's code. */
TEST_KEYD(another_implementation_opens_what_keyd_seals, "KEY-4")
{
	check_opens_elsewhere("python3 " SOURCE_ROOT "/tests/unit/test_keys_jwe.py own.jwk sealed.jwe opened");
}

TEST_MAIN
