/* certificate.c - `keyward certificate`: the certificates that browsers and agents are shown, looked at and renewed while the web server goes on. */
#include <errno.h>
#include <grp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/command.h"
#include "base/err.h"
#include "base/file.h"
#include "base/keyfile.h"
#include "base/mem.h"
#include "health/certificates.h"
#include "identity/certificate.h"

#define CURVE "P-256"            /* what Kore is patched for */
#define KEY_MAX 8192
#define PID_MAX_SIZE 32
#define TLS_GROUP "keyward-tls"

static int crypto_error(const char *what)
{
	char text[160] = "no reason given";
	unsigned long e = ERR_get_error();

	if (e)
		ERR_error_string_n(e, text, sizeof text);
	ERR_clear_error();
	return err_set(ERR_CRYPTO, "%s: %s", what, text);
}

/* NAME must be one that the web server has: nothing is made of others' words. */
static int check_name(const struct admin *a, const char *name)
{
	static const enum conf_setting domains[] = { CONF_DOMAIN_CENTRAL, CONF_DOMAIN_CONSOLE, CONF_DOMAIN_AGENTS };

	for (size_t i = 0; i < ARRAY_LEN(domains); i++)
		if (strcmp(conf_get(&a->conf, domains[i]), name) == 0)
			return 0;
	return err_set(ERR_NOT_FOUND, "%s is no host name of this installation: %s, %s and %s are", name, conf_get(&a->conf, domains[0]),
		conf_get(&a->conf, domains[1]), conf_get(&a->conf, domains[2]));
}

/* NAME.END in the folder that Kore's keymgr has; the caller's. */
static char *tls_path(const struct admin *a, const char *name, const char *end)
{
	const char *folder = conf_get(&a->conf, CONF_WEB_TLS);

	return *folder ? mem_printf("%s/%s.%s", folder, name, end) : mem_printf("%s/tls/%s.%s", conf_get(&a->conf, CONF_STATE), name, end);
}

/* Keys */

static int make_key(const char *path)
{
	EVP_PKEY *key = EVP_EC_gen(CURVE);
	BIO *out = BIO_new(BIO_s_secmem());
	char *pem = NULL;
	long len;
	int rc = key && out && PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1 ? 0 : crypto_error("making a key");

	if (rc == 0 && (len = BIO_get_mem_data(out, &pem)) > 0)
		rc = keyfile_create(path, pem, (size_t)len);
	BIO_free(out);
	EVP_PKEY_free(key);
	return rc;
}

/* The caller's; NULL when there is none. */
static EVP_PKEY *read_key(const char *path)
{
	BIO *in = BIO_new_file(path, "r");
	EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, NULL, (void *)(uintptr_t)"") : NULL;

	BIO_free(in);
	ERR_clear_error();
	return key;
}

/* Requests */

static int name_it(X509_REQ *request, const char *name)
{
	STACK_OF(X509_EXTENSION) *all = sk_X509_EXTENSION_new_null();
	char *names = mem_printf("DNS:%s", name);
	X509_EXTENSION *one = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
	int ok = one && sk_X509_EXTENSION_push(all, one) && X509_REQ_add_extensions(request, all) == 1
		&& X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request), "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0) == 1;

	sk_X509_EXTENSION_pop_free(all, X509_EXTENSION_free);
	free(names);
	return ok ? 0 : crypto_error("naming the request");
}

static int print_request(EVP_PKEY *key, const char *name)
{
	X509_REQ *request = X509_REQ_new();
	int rc = key && request ? name_it(request, name) : crypto_error("the key cannot be read");

	if (rc == 0 && (X509_REQ_set_pubkey(request, key) != 1 || X509_REQ_sign(request, key, EVP_sha256()) == 0 || PEM_write_X509_REQ(stdout, request) != 1))
		rc = crypto_error("signing the request");
	X509_REQ_free(request);
	return rc;
}

int admin_certificate_request(struct admin *a, int argc, char **argv)
{
	int rc = check_name(a, argv[0]);
	char *path;
	EVP_PKEY *key;

	(void)argc;
	if (rc < 0)
		return rc;
	path = tls_path(a, argv[0], "key.next");
	/* One that waits for its certificate already is asked for again. */
	rc = make_key(path);
	if (rc == ERR_CONFLICT)
		rc = 0;
	key = rc == 0 ? read_key(path) : NULL;
	if (rc == 0)
		rc = print_request(key, argv[0]);
	if (rc == 0)
		fprintf(stderr, "Its key waits in %s. Have the request signed, then: keyward certificate install %s FILE\n", path, argv[0]);
	EVP_PKEY_free(key);
	free(path);
	return rc;
}

/* New ones */

/* All of PEM, the caller's; ERR_INVALID when it holds none. */
static int read_chain(const struct buf *pem, STACK_OF(X509) **out)
{
	BIO *in = BIO_new_mem_buf(pem->data, (int)pem->len);
	STACK_OF(X509) *chain = sk_X509_new_null();
	X509 *one;

	while ((one = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL)
		sk_X509_push(chain, one);
	ERR_clear_error();
	BIO_free(in);
	if (sk_X509_num(chain) == 0) {
		sk_X509_pop_free(chain, X509_free);
		return err_set(ERR_INVALID, "the file holds no certificate in PEM");
	}
	*out = chain;
	return 0;
}

/* Whether browsers and agents would take it today, as far as that can be said without their authorities. */
static int check_chain(STACK_OF(X509) *chain, const struct buf *pem, const char *name)
{
	struct certificate c;
	clock_us now = clock_now();
	int rc = certificate_read(pem->data, pem->len, &c);

	if (rc < 0)
		return rc;
	if (X509_check_host(sk_X509_value(chain, 0), name, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) != 1)
		return err_set(ERR_INVALID, "it is not for %s, but for %s", name, *c.names ? c.names : "no name at all");
	if (c.not_after <= now || c.not_before > now)
		return err_set(ERR_INVALID, c.not_after <= now ? "it has ended" : "it begins in the future");
	for (int i = 1; i < sk_X509_num(chain); i++)
		if (X509_check_issued(sk_X509_value(chain, i), sk_X509_value(chain, i - 1)) != X509_V_OK)
			return err_set(ERR_INVALID, "certificate %d of the file did not issue the one before it", i + 1);
	return 0;
}

/* 1: it is of the key that waits; 0: of the one in use. */
static int whose(X509 *certificate, const char *next, const char *present)
{
	EVP_PKEY *waits = read_key(next), *used = read_key(present);
	int rc = waits && X509_check_private_key(certificate, waits) == 1 ? 1 : used && X509_check_private_key(certificate, used) == 1 ? 0
		: err_set(ERR_INVALID, waits ? "its key is neither the one that waits nor the one in use" : "its key is not the one in use, and none waits: "
			"keyward certificate request");

	EVP_PKEY_free(waits);
	EVP_PKEY_free(used);
	ERR_clear_error();
	return rc;
}

/* As the one that it replaces, or as any is. */
static int put_key(const char *next, const char *present)
{
	const struct group *group = getgrnam(TLS_GROUP);
	struct stat st = { .st_gid = group ? group->gr_gid : 0, .st_mode = 0440 };

	stat(present, &st);
	if (chown(next, st.st_uid, st.st_gid) < 0 || chmod(next, st.st_mode & 07777) < 0 || rename(next, present) < 0)
		return err_set(ERR_IO, "%s: %s", present, strerror(errno));
	return 0;
}

/* Kore's parent; 0 when it does not run. A number that somebody else has by now is nobody's. */
static pid_t web_pid(const struct admin *a)
{
	char *path = *conf_get(&a->conf, CONF_WEB_PID) ? mem_strdup(conf_get(&a->conf, CONF_WEB_PID)) : mem_printf("%s/pid/kore", conf_get(&a->conf, CONF_STATE)), *exe;
	struct buf text = BUF_INIT;
	char program[512] = "";
	long pid = file_read(path, PID_MAX_SIZE, &text) == 0 ? strtol(buf_str(&text), NULL, 10) : 0;

	exe = mem_printf("/proc/%ld/exe", pid);
	if (pid <= 1 || readlink(exe, program, sizeof program - 1) < 0 || strstr(program, "kore") == NULL)
		pid = 0;
	free(exe);
	free(path);
	buf_free(&text);
	return (pid_t)pid;
}

/* The certificate before its key: what is broken off between the two is finished by the same command. */
static int put(const struct admin *a, const char *name, STACK_OF(X509) *chain, const struct buf *pem)
{
	char *next = tls_path(a, name, "key.next"), *key = tls_path(a, name, "key"), *crt = tls_path(a, name, "crt");
	int rc = whose(sk_X509_value(chain, 0), next, key), new_key = rc == 1;
	pid_t pid = web_pid(a);

	if (rc >= 0)
		rc = file_write(crt, pem->data, pem->len, 0444);
	if (rc == 0 && new_key)
		rc = put_key(next, key);
	if (rc == 0 && pid && kill(pid, SIGUSR1) < 0)
		rc = err_set(ERR_IO, "the web server (process %ld) could not be told: %s", (long)pid, strerror(errno));
	if (rc == 0)
		printf("%s has its new certificate, with %s key. %s\n", name, new_key ? "a new" : "the same",
			pid ? "The web server takes it now, without losing a connection." : "The web server does not run here: it takes it when it starts.");
	free(next);
	free(key);
	free(crt);
	return rc;
}

int admin_certificate_install(struct admin *a, int argc, char **argv)
{
	struct buf pem = BUF_INIT;
	STACK_OF(X509) *chain = NULL;
	int rc = check_name(a, argv[0]);

	(void)argc;
	if (rc == 0)
		rc = file_read(argv[1], CERTIFICATE_PEM_MAX, &pem);
	if (rc == 0)
		rc = read_chain(&pem, &chain);
	if (rc == 0)
		rc = check_chain(chain, &pem, argv[0]);
	if (rc == 0)
		rc = put(a, argv[0], chain, &pem);
	sk_X509_pop_free(chain, X509_free);
	buf_free(&pem);
	return rc;
}

int admin_certificate_list(struct admin *a, int argc, char **argv)
{
	json_t *all = NULL, *one;
	struct db *db;
	size_t i;
	int rc = admin_begin(a, CONF_DATABASE_CENTRAL, NULL, &db);

	(void)argc;
	(void)argv;
	if (rc == 0)
		rc = admin_end(db, health_certificates(db, clock_now(), &all));
	json_array_foreach(all, i, one) {
		const char *error = json_string_value(json_object_get(one, "error"));

		printf("%5lld days  %-32s %s%s%s%s\n", (long long)json_integer_value(json_object_get(one, "days")), json_string_value(json_object_get(one, "what")),
			json_string_value(json_object_get(one, "subject")), *json_string_value(json_object_get(one, "where")) ? "  in " : "",
			json_string_value(json_object_get(one, "where")), error ? error : "");
	}
	json_decref(all);
	return rc;
}
