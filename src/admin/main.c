/* main.c - `keyward`: finds the subcommand, reads the configuration, runs it. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "base/err.h"
#include "base/log.h"
#include "base/secret.h"

#define CONF_STANDARD "/etc/keyward/keyward.conf"

const struct admin_command admin_commands[] = {
	{ "init", "", 0, 0, "make the database, apply migrations, print the set-up page's one-time address", admin_init },
	{ "migrate", "", 0, 0, "bring the database to this version", admin_migrate },
	{ "status", "", 0, 0, "show whether database, key service and configuration are well", admin_status },
	{ "unseal", "", 0, 0, "tell the key service the passphrase of its root key", admin_unseal },
	{ "seal", "", 0, 0, "make the key service forget its keys until it is unsealed (passphrase only)", admin_seal },
	{ "tickets", "[renew]", 0, 1, "give the database the key of proofs of approval, without which no key goes out; renew: a new one",
		admin_tickets },
	{ "rotate root", "[PROVIDER [WHERE]]", 0, 2, "make a new root key and wrap everything under it; what was broken off goes on",
		admin_rotate_root },
	{ "rotate tenant", "SLUG", 1, 1, "make a new key for a tenant and wrap its keys and secrets under it", admin_rotate_tenant },
	{ "key move", "PROVIDER [WHERE]", 1, 2, "the same with another provider: file, passphrase, pkcs11, ...", admin_rotate_root },
	{ "key list", "", 0, 0, "show the root keys, what is under them, and how far a rotation is", admin_key_list },
	{ "key retire", "ID [destroy [anyway]]", 1, 3, "take a former root key out of use, and destroy its file", admin_key_retire },
	{ "backup verify", "FOLDER [KEYFILE]", 1, 2, "whether a backup is whole, and, with its private key, can be decrypted", admin_backup_verify },
	{ "backup", "", 0, 0, "make a backup of database and key files, encrypted to backup.certificate, and remove those too old", admin_backup },
	{ "restore", "FOLDER KEYFILE", 2, 2, "bring a backup back onto an empty installation", admin_restore },
	{ "setup-code", "", 0, 0, "print a new one-time address of the set-up page (while there is no operator)", admin_setup_code },
	{ "tenant create", "SLUG NAME EMAIL", 3, 3, "make a tenant and print its first administrator's one-time link",
		admin_tenant_create },
	{ "tenant list", "", 0, 0, "list tenants", admin_tenant_list },
	{ "tenant invite", "SLUG EMAIL", 2, 2, "print a new link for the first administrator of a tenant nobody has joined yet",
		admin_tenant_invite },
	{ "tenant passphrase", "SLUG", 1, 1, "set and print a new provisioning passphrase of a tenant nobody has joined yet",
		admin_tenant_passphrase },
	{ "licence issue", "SLUG KEYS UNTIL [trial|full] [assign]", 3, 5, "sign an activation code until a date (2027-11-21), and put it into force",
		admin_licence_issue },
	{ "licence list", "", 0, 0, "show licences and what is used of them", admin_licence_list },
	{ "licence show", "CODE [SLUG]", 1, 2, "say what an activation code grants, and whether it is genuine", admin_licence_show },
	{ "operator reset", "EMAIL", 1, 1, "unlock an operator and print a one-time link to choose a new password",
		admin_operator_reset },
	{ "user reset", "SLUG EMAIL", 2, 2, "unlock a tenant's user and print a one-time link to choose a new password",
		admin_user_reset },
	{ "operator factor", "EMAIL", 1, 1, "remove the second factor of an operator who has lost it", admin_operator_factor },
	{ "user factor", "SLUG EMAIL", 2, 2, "remove the second factor of a tenant's user who has lost it", admin_user_factor },
	{ "audit verify file", "EXPORT KEY", 2, 2, "the same with an exported log and its public key alone, anywhere", admin_audit_verify_file, 1 },
	{ "audit verify", "[SLUG]", 0, 1, "prove that a tenant's log (or the installation's) was not altered or cut off", admin_audit_verify },
	{ "audit export", "[SLUG]", 0, 1, "print a log with its signatures, to be verified elsewhere", admin_audit_export },
	{ "audit key", "", 0, 0, "print the public key that logs of this installation are signed with", admin_audit_key },
	{ "certificate list", "", 0, 0, "show the certificates in use, those that end first at the top", admin_certificate_list },
	{ "certificate request", "NAME", 1, 1, "make a new key for a host name of the web server, and print the request to be signed", admin_certificate_request },
	{ "certificate install", "NAME FILE", 2, 2, "put the new certificate, and what is between it and its authority, in place; the web server goes on",
		admin_certificate_install },
	{ "log return", "", 0, 0, "bring everything that the log database has back into the main one", admin_log_return },
	{ "config", "", 0, 0, "explain the settings of the configuration file", admin_config, 1 },
	{ NULL, NULL, 0, 0, NULL, NULL },
};

static int usage(FILE *out, int status)
{
	fprintf(out, "usage: keyward [--config FILE] COMMAND\n\n");
	for (const struct admin_command *c = admin_commands; c->name; c++) {
		char left[64];

		snprintf(left, sizeof left, "%s %s", c->name, c->arguments);
		fprintf(out, "  %-32s %s\n", left, c->help);
	}
	fprintf(out, "\n  --config FILE   instead of " CONF_STANDARD " or $KEYWARD_CONFIG\n"
		"Exit status: 0 done, 1 failed, 2 wrong use.\n");
	return status;
}

/* How many of ARGV are the command's name; 0 when it is another command. */
static int words_of(const struct admin_command *c, int argc, char **argv)
{
	const char *at = c->name;
	int n = 0;

	while (n < argc) {
		size_t len = strlen(argv[n]);

		if (strncmp(at, argv[n], len) != 0 || (at[len] != ' ' && at[len] != '\0'))
			return 0;
		n++;
		if (at[len] == '\0')
			return n;
		at += len + 1;
	}
	return 0;
}

static int run(const struct admin_command *c, const char *conf_path, int argc, char **argv)
{
	struct admin a = { .conf_path = conf_path };
	int rc;

	if (argc < c->least || argc > c->most) {
		fprintf(stderr, "usage: keyward %s %s\n", c->name, c->arguments);
		return ADMIN_USAGE;
	}
	rc = c->bare ? 0 : conf_load(conf_path, &a.conf);
	if (rc == 0)
		rc = c->run(&a, argc, argv);
	conf_free(&a.conf);
	if (rc < 0)
		fprintf(stderr, "keyward %s: %s\n", c->name, err_text());
	return rc < 0 ? ADMIN_FAILED : ADMIN_OK;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' }, { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 } };
	const char *conf_path = getenv("KEYWARD_CONFIG");
	int option;

	log_open("keyward", LOG_LEVEL_INFO);
	secret_init();
	/* As store/link.c: for migrations, and for pg_dump and pg_restore. */
	setenv("PGSSLMODE", "verify-full", 0);
	setenv("PGGSSENCMODE", "disable", 0);
	if (conf_path == NULL)
		conf_path = CONF_STANDARD;
	while ((option = getopt_long(argc, argv, "+c:h", options, NULL)) != -1) {
		if (option == 'c')
			conf_path = optarg;
		else
			return option == 'h' ? usage(stdout, ADMIN_OK) : usage(stderr, ADMIN_USAGE);
	}
	argc -= optind;
	argv += optind;
	for (const struct admin_command *c = admin_commands; c->name; c++) {
		int words = words_of(c, argc, argv);

		if (words)
			return run(c, conf_path, argc - words, argv + words);
	}
	return usage(stderr, ADMIN_USAGE);
}
