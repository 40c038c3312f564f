/* user.c - `keyward user reset` and `keyward operator reset`: the way back in for somebody who is locked out; `... factor remove` for who has
 * lost the second factor and has no administrator to ask. */
#include <stdio.h>
#include <stdlib.h>

#include "admin/command.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "identity/token.h"
#include "store/factor.h"
#include "store/invitation.h"
#include "store/user.h"

#define RESET_LIFE (24 * CLOCK_HOUR)

static int reset(struct db *db, enum store_side side, const char *email, char token[static TOKEN_TEXT_SIZE])
{
	uint8_t hash[TOKEN_HASH_SIZE];
	struct user user = { 0 };
	int rc = user_by_email(db, side, email, &user);

	if (rc == ERR_NOT_FOUND)
		return err_set(rc, "nobody has the address %s", email);
	token_new(token);
	token_hash(token, hash);
	if (rc == 0)
		rc = user_unlock(db, side, &user.id);
	if (rc == 0)
		rc = invitation_create(db, side, &user.id, hash, clock_now() + RESET_LIFE);
	user_release(&user);
	return rc;
}

static void print_link(const struct admin *a, enum conf_setting domain, char *path)
{
	char *address = admin_address(a, domain, path);

	printf("link for a new password, good once and for a day: %s\n", address);
	free(address);
	free(path);
}

int admin_user_reset(struct admin *a, int argc, char **argv)
{
	char token[TOKEN_TEXT_SIZE];
	struct uuid tenant;
	struct db *db;
	int rc = admin_begin_tenant(a, CONF_DATABASE_CONSOLE, argv[0], &tenant, &db);

	(void)argc;
	if (rc < 0)
		return rc;
	rc = admin_end(db, reset(db, STORE_TENANT, argv[1], token));
	if (rc == 0)
		print_link(a, CONF_DOMAIN_CONSOLE, mem_printf("/invitation?account=%s&token=%s", argv[0], token));
	return rc;
}

int admin_operator_reset(struct admin *a, int argc, char **argv)
{
	char token[TOKEN_TEXT_SIZE];
	struct db *db;
	int rc = admin_begin(a, CONF_DATABASE_CENTRAL, NULL, &db);

	(void)argc;
	if (rc < 0)
		return rc;
	rc = admin_end(db, reset(db, STORE_OPERATOR, argv[0], token));
	if (rc == 0)
		print_link(a, CONF_DOMAIN_CENTRAL, mem_printf("/invitation?token=%s", token));
	return rc;
}

static int remove_factor(struct db *db, enum store_side side, const char *email)
{
	struct user user = { 0 };
	int rc = user_by_email(db, side, email, &user);

	if (rc == ERR_NOT_FOUND)
		return err_set(rc, "nobody has the address %s", email);
	if (rc == 0) {
		rc = factor_remove(db, side, &user);
		if (rc == ERR_NOT_FOUND)
			rc = err_set(rc, "%s has no second factor", email);
	}
	if (rc == 0)
		rc = user_sign_out(db, side, &user.id);
	user_release(&user);
	return rc;
}

static int say_removed(int rc)
{
	if (rc == 0)
		printf("the second factor is removed; the password alone opens the console now\n");
	return rc;
}

int admin_user_factor(struct admin *a, int argc, char **argv)
{
	struct uuid tenant;
	struct db *db;
	int rc = admin_begin_tenant(a, CONF_DATABASE_CONSOLE, argv[0], &tenant, &db);

	(void)argc;
	return rc < 0 ? rc : say_removed(admin_end(db, remove_factor(db, STORE_TENANT, argv[1])));
}

int admin_operator_factor(struct admin *a, int argc, char **argv)
{
	struct db *db;
	int rc = admin_begin(a, CONF_DATABASE_CENTRAL, NULL, &db);

	(void)argc;
	return rc < 0 ? rc : say_removed(admin_end(db, remove_factor(db, STORE_OPERATOR, argv[0])));
}
