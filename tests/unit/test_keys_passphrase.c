/* test_keys_passphrase.c - a running keyd whose root key is under a passphrase: made, sealed, unsealed, by whom it may be. */
#include <pwd.h>
#include <stdlib.h>

#include "agent/guest/sealed.h"
#include "base/mem.h"

#include "test_keys.h"

/* keyward-keyd --create with PASSPHRASE on standard input; its exit status. */
static int create_with(const char *passphrase)
{
	char command[512];
	int status;

	snprintf(command, sizeof command, "printf '%%s\\n' '%s' | %s --create --provider passphrase --root-key %s --identity %s >>%s 2>&1",
		passphrase, keyd_program, root_path, identity_path, log_path);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int unseal_with(struct keys_client *c, const char *words)
{
	const struct uuid nobody = { { 0 } };
	struct secret *s = secret_new(strlen(words));
	int rc;

	memcpy(s->data, words, s->len);
	rc = keys_unseal(c, &nobody, s);
	secret_free(s);
	return rc;
}

/* Calls as user daemon, who may ask for keys; the code of what SEAL or unsealing gives. */
static int as_daemon(int seal)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct keys_client c;
		const struct passwd *pw = getpwnam("daemon");

		if (setgid(pw->pw_gid) < 0 || setuid(pw->pw_uid) < 0)
			_exit(99);
		keys_client_init(&c, socket_path, PATIENCE_MS);
		_exit(-(seal ? keys_seal(&c, &(struct uuid){ { 0 } }) : unseal_with(&c, "correct horse battery")));
	}
	waitpid(pid, &status, 0);
	return -WEXITSTATUS(status);
}

TEST_KEYD(with_a_passphrase_keyd_starts_sealed_and_heals_when_unsealed, "KEY-2,SEC-7")
{
	struct keys_client c;
	struct keys_status st;
	struct sample s;
	struct secret *key;
	uint8_t point[KEYS_POINT_SIZE], again[KEYS_POINT_SIZE];

	begin_folder();
	keyd_provider = "passphrase";
	CHECK(!try_start_keyd());
	CHECK_INT(create_with("too short"), 1);
	CHECK_INT(create_with("correct horse battery"), 0);
	CHECK_INT(create_with("correct horse battery"), 1);
	CHECK(try_start_keyd());
	keys_client_init(&c, socket_path, PATIENCE_MS);
	CHECK_INT(keys_status(&c, &st), 0);
	CHECK(st.sealed == 1 && strcmp(st.provider, "passphrase") == 0 && !uuid_is_nil(&st.root));
	CHECK_INT(keys_identity_public(&c, point), ERR_SEALED);
	CHECK_INT(unseal_with(&c, "wrong horse battery"), ERR_FORBIDDEN);
	CHECK_INT(as_daemon(0), ERR_FORBIDDEN);
	CHECK_INT(keys_status(&c, &st), 0);
	CHECK_INT(st.sealed, 1);
	CHECK_INT(unseal_with(&c, "correct horse battery"), 0);
	CHECK_INT(keys_status(&c, &st), 0);
	CHECK_INT(st.sealed, 0);
	CHECK_INT(keys_identity_public(&c, point), 0);
	sample_make(&s, &c);
	key = sample_key(&s, &c);
	CHECK(key != NULL);
	secret_free(key);
	/* A wrong one does not take back what is open. */
	CHECK_INT(unseal_with(&c, "wrong horse battery"), ERR_FORBIDDEN);
	CHECK_INT(keys_identity_public(&c, again), 0);
	CHECK(memcmp(point, again, sizeof point) == 0);
	CHECK_INT(as_daemon(1), ERR_FORBIDDEN);
	CHECK_INT(keys_seal(&c, &s.request), 0);
	CHECK_INT(keys_identity_public(&c, again), ERR_SEALED);
	CHECK_INT(seal_as(&c, &s, &s.named, view(&s.wrapped_device)), ERR_SEALED);
	CHECK_INT(unseal_with(&c, "correct horse battery"), 0);
	key = sample_key(&s, &c);
	CHECK(key != NULL);
	secret_free(key);
	sample_free(&s);
	end_keyd(&c);
	keyd_provider = "file";
}

TEST_KEYD(a_root_key_in_a_file_is_neither_sealed_nor_unsealed, "KEY-2")
{
	const struct uuid nobody = { { 0 } };
	struct keys_client c;

	begin_keyd(&c);
	CHECK_INT(unseal_with(&c, "correct horse battery"), ERR_UNSUPPORTED);
	CHECK_INT(keys_seal(&c, &nobody), ERR_UNSUPPORTED);
	end_keyd(&c);
}

TEST_MAIN
