/* test_keys_token.c - a running keyd whose root key is inside a token: SoftHSM, through its PKCS #11 module. */
#include <stdarg.h>
#include <stdlib.h>

#include "agent/guest/sealed.h"
#include "base/mem.h"

#include "test_keys.h"

#define MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define PIN "24681357"

static char tokens[96], pin_path[96];

static void put_file(const char *path, const char *text)
{
	CHECK_INT(file_write(path, text, strlen(text), 0600), 0);
}

__attribute__((format(printf, 1, 2))) static int shell(const char *fmt, ...)
{
	char command[1024];
	va_list ap;
	int status;

	va_start(ap, fmt);
	vsnprintf(command, sizeof command, fmt, ap);
	va_end(ap);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A token of keyd's user in the test's folder. WITH_PIN: keyd finds the PIN in a file. */
static void begin_token_of(const char *module, int with_pin)
{
	char conf[96], text[256];

	begin_folder();
	keyd_provider = "pkcs11";
	snprintf(tokens, sizeof tokens, "%s/tokens", folder);
	snprintf(conf, sizeof conf, "%s/softhsm2.conf", folder);
	snprintf(pin_path, sizeof pin_path, "%s/pin", folder);
	snprintf(text, sizeof text, "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", tokens);
	put_file(conf, text);
	put_file(pin_path, PIN "\n");
	CHECK_INT(mkdir(tokens, 0700), 0);
	CHECK_INT(shell("chmod 644 %s && chown nobody %s", conf, tokens), 0);
	setenv("SOFTHSM2_CONF", conf, 1);
	CHECK_INT(shell("setpriv --reuid nobody --clear-groups softhsm2-util --init-token --free --label keyward --pin " PIN
		" --so-pin 12345678 >>%s 2>&1", log_path), 0);
	snprintf(root_path, sizeof root_path, "pkcs11:token=keyward?module-path=%s%s%s", module, with_pin ? "&pin-source=file:" : "",
		with_pin ? pin_path : "");
}

static void begin_token(int with_pin)
{
	begin_token_of(MODULE, with_pin);
}

static void end_token(struct keys_client *c)
{
	end_keyd(c);
	keyd_provider = "file";
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

/* The child of keyd that speaks to the token. */
static pid_t keeper(void)
{
	char path[64], name[32];
	FILE *f, *comm;
	int pid, found = 0;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)keyd_pid, (int)keyd_pid);
	f = fopen(path, "r");
	while (f && !found && fscanf(f, "%d", &pid) == 1) {
		snprintf(path, sizeof path, "/proc/%d/comm", pid);
		comm = fopen(path, "r");
		if (comm && fgets(name, sizeof name, comm) && strcmp(name, "keyd-keeper\n") == 0)
			found = pid;
		if (comm)
			fclose(comm);
	}
	if (f)
		fclose(f);
	return found;
}

TEST_KEYD(a_root_key_is_made_in_the_token_and_stays_there, "KEY-1,KEY-2")
{
	struct keys_client c;
	struct keys_status st, again;
	struct sample s;
	struct secret *before, *after;
	uint8_t point[KEYS_POINT_SIZE], same[KEYS_POINT_SIZE];

	begin_token(1);
	start_keyd(&c);
	CHECK_INT(keys_status(&c, &st), 0);
	CHECK(!st.sealed && strcmp(st.provider, "pkcs11") == 0 && !uuid_is_nil(&st.root));
	sample_make(&s, &c);
	before = sample_key(&s, &c);
	CHECK_INT(keys_identity_public(&c, point), 0);
	stop_keyd(SIGKILL);
	CHECK(try_start_keyd());
	after = sample_key(&s, &c);
	CHECK(before && after && secret_equal(before, after));
	CHECK_INT(keys_identity_public(&c, same), 0);
	CHECK(memcmp(point, same, sizeof point) == 0);
	CHECK_INT(keys_status(&c, &again), 0);
	CHECK(uuid_equal(&st.root, &again.root));
	/* What was altered does not open, and takes nothing with it. */
	s.wrapped_tenant.data[40] ^= 1;
	CHECK(sample_key(&s, &c) == NULL);
	s.wrapped_tenant.data[40] ^= 1;
	CHECK_INT(wraps(&c), 0);
	/* The token says of itself that the key cannot be taken out. */
	CHECK_INT(shell("pkcs11-tool --module " MODULE " --token-label keyward --login --pin " PIN " -O 2>>%s"
		" | grep -q 'never extractable'", log_path), 0);
	secret_free(before);
	secret_free(after);
	sample_free(&s);
	end_token(&c);
}

/* keyward-keyd --create, by root, with the PIN where the URI says; its exit status. */
static int create(void)
{
	return shell("%s --create --provider pkcs11 --root-key '%s' --identity %s --user nobody >>%s 2>&1", keyd_program, root_path,
		identity_path, log_path);
}

TEST_KEYD(without_a_pin_keyd_is_sealed_and_a_wrong_one_is_tried_once, "KEY-2,SEC-7")
{
	struct keys_client c;
	struct keys_status st;

	begin_token(0);
	CHECK(!try_start_keyd());
	put_file(pin_path, "1111\n");
	snprintf(root_path + strlen(root_path), sizeof root_path - strlen(root_path), "&pin-source=%s", pin_path);
	CHECK(!try_start_keyd());
	/* The token remembers that a wrong one was the last: a start does not try the next, a person does. */
	put_file(pin_path, PIN);
	CHECK(!try_start_keyd());
	CHECK_INT(create(), 0);
	start_keyd(&c);
	CHECK_INT(wraps(&c), 0);
	keys_client_close(&c);
	stop_keyd(SIGTERM);
	put_file(pin_path, "1111\n");
	start_keyd(&c);
	CHECK_INT(is_sealed(&c), 1);
	CHECK_INT(cause_of(&c), KEYS_CAUSE_PIN_REFUSED);
	CHECK_INT(wraps(&c), ERR_SEALED);
	CHECK_INT(unseal_with(&c, "2222"), ERR_FORBIDDEN);
	CHECK_INT(cause_of(&c), KEYS_CAUSE_PIN_REFUSED);
	CHECK_INT(unseal_with(&c, PIN), 0);
	CHECK_INT(keys_status(&c, &st), 0);
	CHECK(!st.sealed);
	CHECK_INT(wraps(&c), 0);
	CHECK_INT(keys_seal(&c, &st.root), 0);
	CHECK_INT(wraps(&c), ERR_SEALED);
	CHECK_INT(cause_of(&c), KEYS_CAUSE_PIN);
	CHECK_INT(unseal_with(&c, PIN), 0);
	CHECK_INT(wraps(&c), 0);
	end_token(&c);
}

/* How often a PIN was tried at the token that locks. */
static int tries(void)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof path, "%s/tries", tokens);
	return stat(path, &st) == 0 ? (int)st.st_size : 0;
}

/* SoftHSM locks no PIN, so a module stands in between that does: after three wrong ones, as tokens do. */
TEST_KEYD(no_pin_is_tried_until_the_token_locks_it, "KEY-2,SEC-7")
{
	char wrong[128];
	struct keys_client c;
	struct sample s;
	struct secret *key;
	int before;

	begin_token_of(LOCKING_MODULE, 1);
	setenv("LOCKING_FOLDER", tokens, 1);
	start_keyd(&c);
	sample_make(&s, &c);
	before = tries();
	/* Whatever starts it anew, however often: a wrong PIN in the file is tried once. */
	put_file(pin_path, "1111\n");
	for (int i = 0; i < 4; i++) {
		stop_keyd(i % 2 ? SIGKILL : SIGTERM);
		CHECK(try_start_keyd());
		CHECK_INT(cause_of(&c), KEYS_CAUSE_PIN_REFUSED);
		CHECK_INT(tries(), before + 1);
	}
	/* Neither is the right one: what is in the file may be the one that was refused. */
	put_file(pin_path, PIN);
	stop_keyd(SIGTERM);
	CHECK(try_start_keyd());
	CHECK_INT(cause_of(&c), KEYS_CAUSE_PIN_REFUSED);
	CHECK_INT(tries(), before + 1);
	/* People lock it; from then on nothing is tried. */
	CHECK_INT(unseal_with(&c, "2222"), ERR_FORBIDDEN);
	CHECK(strstr(err_text(), "the next wrong one locks it") != NULL);
	CHECK_INT(cause_of(&c), KEYS_CAUSE_PIN_REFUSED);
	CHECK_INT(unseal_with(&c, "3333"), ERR_FORBIDDEN);
	CHECK(strstr(err_text(), "it is locked now") != NULL);
	CHECK_INT(cause_of(&c), KEYS_CAUSE_PIN_LOCKED);
	CHECK_INT(tries(), before + 3);
	CHECK_INT(unseal_with(&c, PIN), ERR_FORBIDDEN);
	CHECK(strstr(err_text(), "locked") != NULL);
	stop_keyd(SIGTERM);
	CHECK(try_start_keyd());
	CHECK_INT(cause_of(&c), KEYS_CAUSE_PIN_LOCKED);
	CHECK_INT(wraps(&c), ERR_SEALED);
	CHECK_INT(tries(), before + 3);
	/* The security officer has reset it. */
	snprintf(wrong, sizeof wrong, "%s/wrong", tokens);
	CHECK_INT(unlink(wrong), 0);
	CHECK_INT(unseal_with(&c, PIN), 0);
	key = sample_key(&s, &c);
	CHECK(key != NULL);
	secret_free(key);
	CHECK_INT(tries(), before + 4);
	/* From then on the file will do again. */
	stop_keyd(SIGTERM);
	CHECK(try_start_keyd());
	CHECK_INT(wraps(&c), 0);
	sample_free(&s);
	end_token(&c);
}

/* One that tells nothing of how often it was wrong, and answers a wrong PIN with a general failure. */
TEST_KEYD(a_token_that_says_little_is_not_given_the_same_pin_again, "KEY-2,SEC-7")
{
	char silent[128];
	struct keys_client c;
	int before;

	begin_token_of(LOCKING_MODULE, 1);
	setenv("LOCKING_FOLDER", tokens, 1);
	snprintf(silent, sizeof silent, "%s/silent", tokens);
	put_file(silent, "");
	CHECK_INT(chmod(silent, 0644), 0);
	start_keyd(&c);
	keys_client_close(&c);
	stop_keyd(SIGTERM);
	put_file(pin_path, "1111\n");
	before = tries();
	start_keyd(&c);
	CHECK_INT(cause_of(&c), KEYS_CAUSE_PIN_REFUSED);
	poll(NULL, 0, 4000);         /* longer than the keeper's pause */
	CHECK_INT(tries(), before + 1);
	CHECK_INT(unseal_with(&c, PIN), 0);
	CHECK_INT(wraps(&c), 0);
	end_token(&c);
}

/* Stops keyd, and leaves it an empty folder of tokens. */
static void take_tokens_away(char aside[static 128])
{
	snprintf(aside, 128, "%s.aside", tokens);
	stop_keyd(SIGTERM);
	CHECK_INT(rename(tokens, aside), 0);
	CHECK_INT(mkdir(tokens, 0700), 0);
	CHECK_INT(shell("chown nobody %s", tokens), 0);
}

/* What another key wraps nobody could open later: one of the same name in another token is not taken. */
TEST_KEYD(another_key_of_that_name_is_not_the_one_in_use, "KEY-2,SEC-7")
{
	char aside[128];
	struct keys_client c;
	struct sample s;
	struct secret *key;

	begin_token(1);
	start_keyd(&c);
	sample_make(&s, &c);
	take_tokens_away(aside);
	CHECK_INT(shell("setpriv --reuid nobody --clear-groups softhsm2-util --init-token --free --label keyward --pin " PIN
		" --so-pin 12345678 >>%s 2>&1 && setpriv --reuid nobody --clear-groups pkcs11-tool --module " MODULE " --token-label keyward --login"
		" --pin " PIN " --keygen --key-type AES:32 --label keyward-root --id 00112233445566778899aabbccddeeff >>%s 2>&1", log_path,
		log_path), 0);
	CHECK(try_start_keyd());
	CHECK_INT(is_sealed(&c), 1);
	CHECK_INT(cause_of(&c), KEYS_CAUSE_OTHER_KEY);
	CHECK_INT(wraps(&c), ERR_SEALED);
	CHECK_INT(shell("rm -r %s && mv %s %s", tokens, aside, tokens), 0);
	wait_sealed(&c, 0);
	key = sample_key(&s, &c);
	CHECK(key != NULL);
	secret_free(key);
	sample_free(&s);
	end_token(&c);
}

TEST_KEYD(a_token_that_was_taken_away_is_found_again, "KEY-2,SEC-7")
{
	char aside[128];
	struct keys_client c;
	struct sample s;
	struct secret *key;

	begin_token(1);
	start_keyd(&c);
	sample_make(&s, &c);
	take_tokens_away(aside);
	CHECK(try_start_keyd());
	CHECK_INT(is_sealed(&c), 1);
	CHECK(sample_key(&s, &c) == NULL);
	CHECK_INT(rmdir(tokens), 0);
	CHECK_INT(rename(aside, tokens), 0);
	wait_sealed(&c, 0);
	key = sample_key(&s, &c);
	CHECK(key != NULL);
	secret_free(key);
	sample_free(&s);
	end_token(&c);
}

TEST_KEYD(a_module_that_does_not_start_is_tried_again, "KEY-2,SEC-7")
{
	char conf[128], aside[140], tokens_aside[140];
	struct keys_client c;
	struct sample s;
	struct secret *key;

	begin_token(1);
	start_keyd(&c);
	sample_make(&s, &c);
	snprintf(conf, sizeof conf, "%s/softhsm2.conf", folder);
	snprintf(aside, sizeof aside, "%s.aside", conf);
	snprintf(tokens_aside, sizeof tokens_aside, "%s.aside", tokens);
	/* Its folder, and its settings: SoftHSM's C_Initialize fails without either. */
	for (int i = 0; i < 2; i++) {
		const char *from = i ? conf : tokens, *to = i ? aside : tokens_aside;

		stop_keyd(SIGTERM);
		CHECK_INT(rename(from, to), 0);
		CHECK(try_start_keyd());
		CHECK_INT(is_sealed(&c), 1);
		CHECK(sample_key(&s, &c) == NULL);
		CHECK_INT(shell("grep -q 'sealed reason=' %s", log_path), 0);
		CHECK_INT(rename(to, from), 0);
		wait_sealed(&c, 0);
		key = sample_key(&s, &c);
		CHECK(key != NULL);
		secret_free(key);
	}
	sample_free(&s);
	end_token(&c);
}

TEST_KEYD(a_token_that_hangs_costs_a_time_limit_once, "KEY-2,SEC-7")
{
	struct keys_client c;
	struct sample s;
	struct secret *key;
	pid_t child;

	begin_token(1);
	start_keyd(&c);
	sample_make(&s, &c);
	key = sample_key(&s, &c);
	secret_free(key);
	child = keeper();
	CHECK(child > 1);
	kill(child, SIGSTOP);
	CHECK_INT(wraps(&c), ERR_TIMEOUT);
	CHECK_INT(wraps(&c), ERR_UNAVAILABLE);
	/* Tenants whose key is at hand are served meanwhile. */
	key = sample_key(&s, &c);
	CHECK(key != NULL);
	secret_free(key);
	kill(child, SIGCONT);
	for (int i = 0; i < 300 && wraps(&c) != 0; i++)
		poll(NULL, 0, 100);
	CHECK_INT(wraps(&c), 0);
	/* Without it keyd is of no use: it ends, so that whoever looks after it starts it anew. */
	kill(child, SIGKILL);
	wraps(&c);
	for (int i = 0; i < 300 && waitpid(keyd_pid, NULL, WNOHANG) == 0; i++)
		poll(NULL, 0, 100);
	keyd_pid = 0;
	CHECK(try_start_keyd());
	key = sample_key(&s, &c);
	CHECK(key != NULL);
	secret_free(key);
	sample_free(&s);
	end_token(&c);
}

TEST_MAIN
