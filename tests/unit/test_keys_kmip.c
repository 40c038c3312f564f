/* test_keys_kmip.c - a running keyd whose root key is on a KMIP server: PyKMIP. */
#include "agent/guest/sealed.h"
#include "base/mem.h"

#include "kmip_server.h"
#include "test_keys.h"

static void locate(const char *more)
{
	snprintf(root_path, sizeof root_path, "kmip://127.0.0.1:%u?ca=%s/ca.crt&certificate=%s/client.crt&key=%s/client.key%s", kmip_port,
		kmip_folder, kmip_folder, kmip_folder, more);
}

static void begin_server(const char *more)
{
	begin_folder();
	kmip_begin();
	keyd_provider = "kmip";
	locate(more);
}

static void end_server(struct keys_client *c)
{
	end_keyd(c);
	kmip_end();
	keyd_provider = "file";
}

/* Whether the server was asked for WHAT, as its log says. */
static int was_asked(const char *what)
{
	return kmip_shell("grep -q 'Processing operation: %s' %s/log", what, kmip_folder) == 0;
}

TEST_KEYD(a_root_key_is_made_on_the_server_and_stays_there, "KEY-1,KEY-2")
{
	struct keys_client c;
	struct keys_status st, again;
	struct sample s;
	struct secret *before, *after;

	begin_server("");
	start_keyd(&c);
	CHECK_INT(keys_status(&c, &st), 0);
	CHECK(!st.sealed && strcmp(st.provider, "kmip") == 0 && !uuid_is_nil(&st.root));
	sample_make(&s, &c);
	before = sample_key(&s, &c);
	stop_keyd(SIGKILL);
	CHECK(try_start_keyd());
	after = sample_key(&s, &c);
	CHECK(before && after && secret_equal(before, after));
	CHECK_INT(keys_status(&c, &again), 0);
	CHECK(uuid_equal(&st.root, &again.root));
	/* What was altered does not open, and takes nothing with it. */
	s.wrapped_tenant.data[40] ^= 1;
	CHECK(sample_key(&s, &c) == NULL);
	s.wrapped_tenant.data[40] ^= 1;
	CHECK_INT(wraps(&c), 0);
	CHECK_INT(is_sealed(&c), 0);
	CHECK(was_asked("Encrypt") && was_asked("Decrypt") && !was_asked("Get"));
	secret_free(before);
	secret_free(after);
	sample_free(&s);
	end_server(&c);
}

/* A first start that ended between making the key and activating it: the next one goes on. */
TEST_KEYD(a_root_key_that_was_made_and_not_activated_is_taken, "KEY-2")
{
	struct keys_client c;
	struct sample s;
	struct secret *key;

	begin_server("");
	CHECK_INT(kmip_shell("cd %s && /usr/bin/python3 -W ignore -c 'from kmip.pie.client import ProxyKmipClient as C\n"
		"from kmip import enums as e\nc = C(hostname=\"127.0.0.1\", port=%u, cert=\"client.crt\", key=\"client.key\", ca=\"ca.crt\")\nc.open()\n"
		"c.create(e.CryptographicAlgorithm.AES, 256, name=\"keyward-root\", cryptographic_usage_mask=[e.CryptographicUsageMask.ENCRYPT,"
		" e.CryptographicUsageMask.DECRYPT])\nc.close()' >>out 2>&1", kmip_folder, kmip_port), 0);
	start_keyd(&c);
	sample_make(&s, &c);
	stop_keyd(SIGKILL);
	CHECK(try_start_keyd());
	key = sample_key(&s, &c);
	CHECK(key != NULL);
	secret_free(key);
	sample_free(&s);
	end_server(&c);
}

TEST_KEYD(a_key_server_that_is_away_is_found_again, "KEY-2,SEC-7")
{
	struct keys_client c;
	struct keys_status st;
	struct sample s;
	struct secret *key;

	begin_server("");
	start_keyd(&c);
	sample_make(&s, &c);
	key = sample_key(&s, &c);
	secret_free(key);
	kmip_stop();
	CHECK(wraps(&c) < 0);
	CHECK_INT(is_sealed(&c), 1);
	CHECK_INT(cause_of(&c), KEYS_CAUSE_SERVER);
	CHECK_INT(wraps(&c), ERR_SEALED);
	kmip_start();
	wait_sealed(&c, 0);
	CHECK_INT(wraps(&c), 0);
	/* A restart between two calls is nothing that anybody need see. */
	kmip_stop();
	kmip_start();
	CHECK_INT(wraps(&c), 0);
	/* It is away when keyd starts. */
	stop_keyd(SIGTERM);
	kmip_stop();
	CHECK(try_start_keyd());
	CHECK_INT(is_sealed(&c), 1);
	CHECK(sample_key(&s, &c) == NULL);
	kmip_start();
	wait_sealed(&c, 0);
	key = sample_key(&s, &c);
	CHECK(key != NULL);
	secret_free(key);
	/* Nobody has a passphrase for it, and it cannot be sealed by hand. */
	CHECK_INT(keys_status(&c, &st), 0);
	CHECK_INT(keys_seal(&c, &st.root), ERR_UNSUPPORTED);
	sample_free(&s);
	end_server(&c);
}

TEST_KEYD(a_key_server_that_hangs_costs_a_time_limit, "KEY-2,SEC-7")
{
	struct keys_client c;
	struct sample s;
	struct secret *key;

	begin_server("");
	start_keyd(&c);
	sample_make(&s, &c);
	key = sample_key(&s, &c);
	secret_free(key);
	kill(-kmip_pid, SIGSTOP);
	CHECK_INT(wraps(&c), ERR_TIMEOUT);
	CHECK(wraps(&c) < 0);
	kill(-kmip_pid, SIGCONT);
	wait_sealed(&c, 0);
	CHECK_INT(wraps(&c), 0);
	key = sample_key(&s, &c);
	CHECK(key != NULL);
	secret_free(key);
	sample_free(&s);
	end_server(&c);
}

TEST_KEYD(a_key_that_is_held_outlives_an_outage_and_only_if_allowed, "KEY-2")
{
	struct keys_client c;
	struct sample s;
	struct secret *key;

	begin_server("&name=held&hold=yes");
	start_keyd(&c);
	sample_make(&s, &c);
	CHECK(was_asked("Get") && !was_asked("Encrypt"));
	kmip_stop();
	CHECK_INT(wraps(&c), 0);
	stop_keyd(SIGTERM);
	kmip_start();
	CHECK(try_start_keyd());
	key = sample_key(&s, &c);
	CHECK(key != NULL);
	secret_free(key);
	/* The same key, used on the server: what is wrapped by one opens by the other. */
	stop_keyd(SIGTERM);
	locate("&name=held");
	CHECK(try_start_keyd());
	key = sample_key(&s, &c);
	CHECK(key != NULL);
	secret_free(key);
	sample_free(&s);
	end_server(&c);
}

TEST_KEYD(what_is_no_place_of_a_key_keeps_keyd_from_starting, "KEY-2,SEC-7")
{
	static const char *const wrong[] = { "&hold=maybe", "&name=a&id=b", "&colour=blue", "&ca=/etc/passwd", "&name=" };
	struct keys_client c;

	begin_server("");
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		locate(wrong[i]);
		CHECK(!try_start_keyd());
	}
	locate("&id=12345");             /* no such key: nothing is made under a name that the server chooses */
	CHECK(!try_start_keyd());
	locate("");
	kmip_shell("chmod 644 %s/client.key", kmip_folder);
	CHECK(!try_start_keyd());
	kmip_shell("chmod 600 %s/client.key", kmip_folder);
	start_keyd(&c);
	end_server(&c);
}

TEST_MAIN
