/* licence.c - `keyward licence ...`: activation codes issued, listed and looked at without a browser. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "keys/client.h"
#include "store/licence.h"

static int read_terms(int argc, char **argv, struct licence *l, int *assign)
{
	char *end, *until = strlen(argv[2]) == 10 ? mem_printf("%sT00:00:00Z", argv[2]) : mem_strdup(argv[2]);
	long keys = strtol(argv[1], &end, 10);
	int rc = clock_parse(until, &l->until);

	free(until);
	l->kind = LICENCE_FULL;
	*assign = argc > 3 && strcmp(argv[argc - 1], "assign") == 0;
	if (rc < 0)
		return err_set(ERR_INVALID, "\"%s\" is no date such as 2027-11-21", argv[2]);
	if (*end || keys < 1 || keys > LICENCE_KEYS_MAX)
		return err_set(ERR_INVALID, "\"%s\" is no number of keys", argv[1]);
	if (l->until <= clock_now())
		return err_set(ERR_INVALID, "%s has passed already", argv[2]);
	l->keys = (uint32_t)keys;
	if (argc - *assign > 3)
		rc = licence_kind_parse(argv[3], &l->kind);
	return argc - *assign > 4 ? err_set(ERR_INVALID, "\"%s\": only `assign` may follow", argv[4]) : rc;
}

int admin_licence_issue(struct admin *a, int argc, char **argv)
{
	struct keys_client keys;
	struct keys_signer signer = { &keys, uuid_new() };
	const struct signing_by by = { &signer, keys_signer_make, keys_signer_sign };
	struct licence l = { .keys = 0 };
	char *code = NULL;
	struct db *db;
	int assign, rc = read_terms(argc, argv, &l, &assign);

	if (rc == 0)
		rc = admin_find_tenant(a, argv[0], &l.account);
	if (rc == 0)
		rc = admin_begin(a, CONF_DATABASE_CENTRAL, NULL, &db);
	if (rc < 0)
		return rc;
	admin_keys(a, &keys);
	rc = admin_end(db, licence_issue(db, &by, &l, "", assign, &code));
	keys_client_close(&keys);
	if (rc == 0)
		printf("%s\n", code);
	if (rc == 0 && assign)
		printf("number %u is in force\n", (unsigned)l.serial);
	free(code);
	return rc;
}

static const char *text_of(const json_t *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row, name));

	return text ? text : "-";
}

static void print_use(const json_t *row)
{
	printf("%-24s %-6s %6lld of %-8lld until %.10s  %s\n", text_of(row, "slug"), text_of(row, "kind"),
		(long long)json_integer_value(json_object_get(row, "used")), (long long)json_integer_value(json_object_get(row, "keys")),
		text_of(row, "until"), text_of(row, "name"));
}

int admin_licence_list(struct admin *a, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return admin_list(a, licence_list, print_use);
}

static void print_code(const struct licence *l)
{
	char installation[UUID_TEXT_SIZE], account[UUID_TEXT_SIZE], issued[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE];

	uuid_text(&l->installation, installation);
	uuid_text(&l->account, account);
	clock_text(l->issued, issued);
	clock_text(l->until, until);
	printf("installation %s\naccount      %s\nnumber       %u\nkind         %s\nkeys         %u\nissued       %s\nuntil        %s\n", installation,
		account, (unsigned)l->serial, licence_kind_name(l->kind), (unsigned)l->keys, issued, until);
}

int admin_licence_show(struct admin *a, int argc, char **argv)
{
	uint8_t signature[LICENCE_SIGNATURE_SIZE], public_key[SIGNING_PUBLIC_SIZE];
	enum licence_fault fault;
	struct uuid installation, account;
	struct licence l;
	struct db *db;
	int rc = licence_read(argv[0], &l, signature), known;

	if (rc == 0)
		print_code(&l);
	if (rc < 0)
		return err_set(rc, "%s", licence_fault_text(rc == ERR_VERSION ? LICENCE_FAULT_LATER : LICENCE_FAULT_NO_CODE));
	account = l.account;
	if (argc > 1)
		rc = admin_find_tenant(a, argv[1], &account);
	if (rc == 0)
		rc = admin_begin(a, CONF_DATABASE_CENTRAL, NULL, &db);
	if (rc < 0)
		return rc;
	rc = installation_id(db, &installation);
	known = rc == 0 ? signing_public(db, SIGNING_LICENCE, public_key) : rc;
	rc = admin_end(db, rc < 0 ? rc : known == ERR_NOT_FOUND ? 0 : known);
	if (rc < 0)
		return rc;
	fault = licence_judge(&l, known == 0 && licence_is_signed(&l, signature, public_key), &installation, &account, 0, 0, clock_now());
	if (fault != LICENCE_FAULT_NONE)
		return err_set(ERR_FORBIDDEN, "%s", licence_fault_text(fault));
	printf("genuine\n");
	return 0;
}
