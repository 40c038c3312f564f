/* test_keys_ticket.c - keyd seals no key to an agent without a proof of approval, for anybody who may ask it for keys. */
#include "agent/guest/sealed.h"
#include "base/exported.h"
#include "keys/message.h"
#include "test_keys.h"

struct attempt {
	struct ticket_claims claims;
	clock_us expires;
	uint32_t generation;
	const struct secret *signer;         /* of the recipient */
	const uint8_t *agent_key, *key;      /* in the ticket; under which it is made */
	struct uuid account, signed_agent;
	const char *device;
	size_t ticket_len;
};

/* Everything as it should be for S and POINT. */
static struct attempt good(const struct sample *s, const uint8_t *point)
{
	return (struct attempt){ .claims = { .kind = TICKET_DEVICE, .tenant = s->tenant, .object = s->device, .version = 1, .request = s->request,
		.agent = s->agent, .recipient = point }, .expires = clock_now() + TICKET_LIFE_S * CLOCK_SECOND, .generation = 1,
		.signer = s->agent_secret, .agent_key = s->agent_key, .key = s->ticket_key, .account = s->tenant, .signed_agent = s->agent,
		.device = SAMPLE_DEVICE, .ticket_len = TICKET_SIZE };
}

/* S's device key, to POINT, with the proof that A describes; the code. */
static int try(struct keys_client *c, const struct sample *s, const uint8_t *point, const struct attempt *a)
{
	struct sample_proof store;
	const struct proto_recipient r = { .account = a->account, .agent = a->signed_agent, .device = a->device, .key = point };
	struct proto_signer signer = proto_signer_of(a->signer);
	struct keys_proof proof = { { store.ticket, a->ticket_len }, SAMPLE_DEVICE, store.signature };
	struct buf jwe = BUF_INIT;
	int rc;

	CHECK_INT(ticket_make(a->key, a->generation, &a->claims, a->expires, a->agent_key, store.ticket), 0);
	CHECK_INT(proto_recipient_sign(&r, &signer, store.signature), 0);
	rc = keys_device_seal(c, &s->request, &s->named, view(&s->wrapped_device), &s->agent, point, &proof, &jwe);
	CHECK(rc == 0 ? jwe.len > 0 : jwe.len == 0);
	buf_free(&jwe);
	return rc;
}

static void new_point(uint8_t point[static KEYS_POINT_SIZE])
{
	struct secret *key = proto_key_new(point);

	secret_free(key);
}

TEST_KEYD(no_key_without_a_proof_of_approval, "KEY-4,SEC-7")
{
	struct keys_client c;
	struct sample s, t;
	struct attempt a;
	uint8_t point[KEYS_POINT_SIZE], mine[KEYS_POINT_SIZE], wrong[TICKET_KEY_SIZE] = { 1 };
	struct buf text = BUF_INIT;

	begin_keyd(&c);
	sample_make(&s, &c);
	sample_make(&t, &c);
	new_point(point);
	new_point(mine);
	a = good(&s, point);
	CHECK_INT(try(&c, &s, point, &a), 0);
	for (a.ticket_len = 0; a.ticket_len < TICKET_SIZE; a.ticket_len++)
		CHECK_INT(try(&c, &s, point, &a), ERR_FORBIDDEN);
	/* For another key, request, agent, tenant, version, kind; made by nobody. */
	a = good(&s, point), a.claims.object = t.device;
	CHECK_INT(try(&c, &s, point, &a), ERR_FORBIDDEN);
	a = good(&s, point), a.claims.request = t.request;
	CHECK_INT(try(&c, &s, point, &a), ERR_FORBIDDEN);
	a = good(&s, point), a.claims.agent = t.agent;
	CHECK_INT(try(&c, &s, point, &a), ERR_FORBIDDEN);
	a = good(&s, point), a.claims.tenant = t.tenant;
	CHECK_INT(try(&c, &s, point, &a), ERR_FORBIDDEN);
	a = good(&s, point), a.claims.version = 2;
	CHECK_INT(try(&c, &s, point, &a), ERR_FORBIDDEN);
	a = good(&s, point), a.claims.kind = TICKET_CREDENTIALS;
	CHECK_INT(try(&c, &s, point, &a), ERR_FORBIDDEN);
	a = good(&s, point), a.key = wrong;
	CHECK_INT(try(&c, &s, point, &a), ERR_FORBIDDEN);
	a = good(&s, point), a.generation = 0;
	CHECK_INT(try(&c, &s, point, &a), ERR_FORBIDDEN);
	/* Late, and from a clock that is far ahead. */
	a = good(&s, point), a.expires = clock_now() - 2 * CLOCK_SECOND;
	CHECK_INT(try(&c, &s, point, &a), ERR_EXPIRED);
	a = good(&s, point), a.expires = clock_now() + CLOCK_HOUR;
	CHECK_INT(try(&c, &s, point, &a), ERR_FORBIDDEN);
	/* To another recipient than the one approved; and to one that is approved, but not the agent's. */
	a = good(&s, point);
	CHECK_INT(try(&c, &s, mine, &a), ERR_FORBIDDEN);
	a = good(&s, mine), a.signer = t.agent_secret;
	CHECK_INT(try(&c, &s, mine, &a), ERR_TAMPERED);
	a = good(&s, mine), a.account = t.tenant;
	CHECK_INT(try(&c, &s, mine, &a), ERR_TAMPERED);
	a = good(&s, mine), a.signed_agent = t.agent;
	CHECK_INT(try(&c, &s, mine, &a), ERR_TAMPERED);
	a = good(&s, mine), a.device = "vol-2";
	CHECK_INT(try(&c, &s, mine, &a), ERR_TAMPERED);
	/* Nothing of that has broken anything, and all of it was told. */
	a = good(&s, point);
	CHECK_INT(try(&c, &s, point, &a), 0);
	CHECK_INT(file_read(log_path, 1u << 22, &text), 0);
	CHECK(strstr(buf_str(&text), "no proof of approval") != NULL);
	CHECK(strstr(buf_str(&text), "not for this key, request, agent and recipient") != NULL);
	CHECK(strstr(buf_str(&text), "has expired") != NULL);
	CHECK(strstr(buf_str(&text), "has not signed") != NULL);
	buf_free(&text);
	sample_free(&s);
	sample_free(&t);
	end_keyd(&c);
}

/* What keyd remembers is one signature over one recipient for one device of one agent, and that it holds. */
TEST_KEYD(a_signature_that_was_verified_vouches_for_nothing_else, "KEY-4,SEC-7")
{
	struct keys_client c;
	struct sample s, t;
	struct attempt a;
	struct keys_recipient known, other;
	uint8_t point[KEYS_POINT_SIZE], mine[KEYS_POINT_SIZE], signature[KEYS_SIGNATURE_SIZE];
	struct sample_proof store;

	begin_keyd(&c);
	sample_make(&s, &c);
	sample_make(&t, &c);
	new_point(point);
	new_point(mine);
	sample_approve(&s, &s.named, point, &store);
	known = (struct keys_recipient){ s.tenant, s.agent, SAMPLE_DEVICE, point, s.agent_key, store.signature };
	for (int again = 0; again < 2; again++) {
		CHECK_INT(keys_recipient_check(&c, &s.request, &known), 0);
		other = known, other.account = t.tenant;
		CHECK_INT(keys_recipient_check(&c, &s.request, &other), ERR_TAMPERED);
		other = known, other.agent = t.agent;
		CHECK_INT(keys_recipient_check(&c, &s.request, &other), ERR_TAMPERED);
		other = known, other.device = "vol-2";
		CHECK_INT(keys_recipient_check(&c, &s.request, &other), ERR_TAMPERED);
		other = known, other.key = mine;
		CHECK_INT(keys_recipient_check(&c, &s.request, &other), ERR_TAMPERED);
		other = known, other.agent_key = t.agent_key;
		CHECK_INT(keys_recipient_check(&c, &s.request, &other), ERR_TAMPERED);
		memcpy(signature, store.signature, sizeof signature);
		signature[sizeof signature - 1] ^= 1;
		other = known, other.signature = signature;
		CHECK_INT(keys_recipient_check(&c, &s.request, &other), ERR_TAMPERED);
		/* Known or not, a ticket is wanted, and one signed by another is worth nothing. */
		a = good(&s, point), a.ticket_len = 0;
		CHECK_INT(try(&c, &s, point, &a), ERR_FORBIDDEN);
		a = good(&s, point), a.signer = t.agent_secret;
		CHECK_INT(try(&c, &s, point, &a), ERR_TAMPERED);
		a = good(&s, mine), a.signer = t.agent_secret;
		CHECK_INT(try(&c, &s, mine, &a), ERR_TAMPERED);
		a = good(&s, point);
		CHECK_INT(try(&c, &s, point, &a), 0);
	}
	sample_free(&s);
	sample_free(&t);
	end_keyd(&c);
}

TEST_KEYD(proofs_of_a_former_generation_are_worth_nothing, "KEY-4,SEC-7")
{
	struct keys_client c;
	struct sample s;
	struct attempt a;
	struct keys_status status;
	uint8_t point[KEYS_POINT_SIZE], second[KEYS_TICKET_KEY_SIZE], third[KEYS_TICKET_KEY_SIZE], again[KEYS_TICKET_KEY_SIZE];

	begin_keyd(&c);
	sample_make(&s, &c);
	new_point(point);
	CHECK_INT(keys_ticket_key(&c, &s.request, 2, 0, second), 0);
	CHECK(memcmp(second, s.ticket_key, sizeof second) != 0);
	a = good(&s, point);
	CHECK_INT(try(&c, &s, point, &a), 0);
	CHECK_INT(keys_ticket_key(&c, &s.request, 2, 1, again), 0);
	CHECK_INT(memcmp(second, again, sizeof second), 0);
	CHECK_INT(try(&c, &s, point, &a), ERR_FORBIDDEN);
	a.generation = 2;
	CHECK_INT(try(&c, &s, point, &a), ERR_FORBIDDEN);
	a.key = second;
	CHECK_INT(try(&c, &s, point, &a), 0);
	/* One of a later generation that holds tells that there is one. */
	CHECK_INT(keys_ticket_key(&c, &s.request, 3, 0, third), 0);
	a.generation = 3, a.key = third;
	CHECK_INT(try(&c, &s, point, &a), 0);
	CHECK_INT(keys_status(&c, &status), 0);
	CHECK_INT(status.ticket_generation, 3);
	a.generation = 2, a.key = second;
	CHECK_INT(try(&c, &s, point, &a), ERR_FORBIDDEN);
	CHECK_INT(keys_ticket_key(&c, &s.request, 2, 1, again), ERR_CONFLICT);
	CHECK_INT(keys_ticket_key(&c, &s.request, 0, 0, again), ERR_INVALID);
	/* The same keys after a restart. */
	CHECK_INT(stop_keyd(SIGKILL), SIGKILL);
	CHECK(try_start_keyd());
	CHECK_INT(keys_ticket_key(&c, &s.request, 3, 1, again), 0);
	CHECK_INT(memcmp(third, again, sizeof third), 0);
	sample_free(&s);
	end_keyd(&c);
}

/* Whoever may ask for keys, and is not root, does not learn how approvals are made. */
TEST_KEYD(the_key_of_proofs_is_for_root_alone, "KEY-4,SEC-7")
{
	uint8_t key[KEYS_TICKET_KEY_SIZE];
	struct keys_client c;
	int status = -1;
	pid_t pid;

	begin_keyd(&c);
	pid = fork();
	if (pid == 0) {
		struct uuid request = uuid_new();
		struct keys_client other;
		struct keys_status s;

		if (setgid(1) < 0 || setuid(1) < 0)          /* daemon, who is allowed */
			_exit(9);
		keys_client_init(&other, socket_path, PATIENCE_MS);
		_exit(keys_status(&other, &s) != 0 ? 8 : -keys_ticket_key(&other, &request, 1, 0, key));
	}
	waitpid(pid, &status, 0);
	CHECK_INT(WEXITSTATUS(status), -ERR_FORBIDDEN);
	end_keyd(&c);
}

/* As another user than root, who is allowed: COUNT messages at once; how many were answered with 0 and with ERR_TOO_MANY. */
static void storm(int count, int out)
{
	struct uuid request = uuid_new(), tenant = uuid_new();
	struct buf wrapped = BUF_INIT;
	int done[2] = { 0, 0 };
	struct keys_client c;

	if (setgid(1) < 0 || setuid(1) < 0)
		_exit(1);
	keys_client_init(&c, socket_path, PATIENCE_MS);
	for (int i = 0; i < count; i++) {
		int rc = keys_tenant_create(&c, &request, &tenant, &wrapped);

		done[0] += rc == 0;
		done[1] += rc == ERR_TOO_MANY;
	}
	_exit(write(out, done, sizeof done) != sizeof done);
}

TEST_KEYD(one_user_asks_for_so_many_of_a_kind, "KEY-4,SEC-5")
{
	struct keys_client c;
	struct keys_status s;
	struct buf text = BUF_INIT, wrapped = BUF_INIT;
	struct uuid request = uuid_new();
	int ends[2], done[2] = { 0, 0 }, found = 0;

	begin_keyd(&c);
	CHECK_INT(pipe(ends), 0);
	if (fork() == 0)
		storm(1000, ends[1]);
	CHECK_INT(read(ends[0], done, sizeof done), sizeof done);
	wait(NULL);
	/* 200 at once, and what a slow machine took the time for. */
	CHECK(done[0] >= 200 && done[0] + done[1] == 1000 && done[1] > 0);
	/* Nobody else is kept from it. */
	CHECK_INT(keys_tenant_create(&c, &request, &request, &wrapped), 0);
	CHECK_INT(keys_status(&c, &s), 0);
	for (int i = 0; i < s.kinds; i++)
		if (strcmp(s.counts[i].name, "tenant_create") == 0) {
			found = 1;
			CHECK_INT(s.counts[i].done, (uint64_t)done[0] + 1);
			CHECK_INT(s.counts[i].limited, (uint64_t)done[1]);
			CHECK_INT(s.counts[i].failed, 0);
		}
	CHECK(found);
	CHECK_INT(file_read(log_path, 1u << 22, &text), 0);
	CHECK(strstr(buf_str(&text), "too many message=tenant_create") != NULL);
	buf_free(&text);
	buf_free(&wrapped);
	close(ends[0]);
	close(ends[1]);
	end_keyd(&c);
}

/* An export, with a ticket that differs in one thing. */
static int export_with(struct keys_client *c, const struct sample *s, const struct ticket_claims *claims, clock_us expires, const struct secret *key,
	const struct uuid *by, size_t len)
{
	static const uint8_t nobody[TICKET_POINT_SIZE];
	uint8_t ticket[TICKET_SIZE];
	struct buf fields = BUF_INIT, sealed = BUF_INIT;
	int rc;

	CHECK_INT(ticket_make(s->ticket_key, 1, claims, expires, nobody, ticket), 0);
	buf_puts(&fields, "fields");
	rc = keys_device_export(c, &s->request, &s->named, view(&s->wrapped_device), key, &fields, &(struct keys_asked){ *by, { ticket, len } },
		&sealed);
	CHECK((rc == 0) == (sealed.len > 0));
	buf_free(&fields);
	buf_free(&sealed);
	return rc;
}

TEST_KEYD(no_key_is_exported_that_nobody_asked_for, "KEY-4,KEY-5,SEC-7")
{
	struct keys_client c;
	struct sample s, t;
	struct secret *key = secret_random(EXPORTED_KEY_SIZE), *other = secret_random(EXPORTED_KEY_SIZE);
	uint8_t point[TICKET_POINT_SIZE];
	clock_us soon = clock_now() + TICKET_LIFE_S * CLOCK_SECOND;
	struct ticket_claims good, a;

	begin_keyd(&c);
	sample_make(&s, &c);
	sample_make(&t, &c);
	ticket_export(key->data, point);
	a = good = (struct ticket_claims){ .kind = TICKET_EXPORT, .tenant = s.tenant, .object = s.device, .version = 1, .request = s.request,
		.agent = s.agent, .recipient = point };
	CHECK_INT(export_with(&c, &s, &good, soon, key, &s.agent, TICKET_SIZE), 0);
	CHECK_INT(export_with(&c, &s, &good, soon, key, &s.agent, 0), ERR_FORBIDDEN);
	CHECK_INT(export_with(&c, &s, &good, soon, key, &s.agent, TICKET_SIZE - 1), ERR_FORBIDDEN);
	CHECK_INT(export_with(&c, &s, &good, soon, other, &s.agent, TICKET_SIZE), ERR_FORBIDDEN);
	CHECK_INT(export_with(&c, &s, &good, soon, key, &t.agent, TICKET_SIZE), ERR_FORBIDDEN);
	CHECK_INT(export_with(&c, &s, &good, clock_now() - 2 * CLOCK_SECOND, key, &s.agent, TICKET_SIZE), ERR_EXPIRED);
	a = good, a.object = t.device;
	CHECK_INT(export_with(&c, &s, &a, soon, key, &s.agent, TICKET_SIZE), ERR_FORBIDDEN);
	a = good, a.version = 2;
	CHECK_INT(export_with(&c, &s, &a, soon, key, &s.agent, TICKET_SIZE), ERR_FORBIDDEN);
	a = good, a.request = t.request;
	CHECK_INT(export_with(&c, &s, &a, soon, key, &s.agent, TICKET_SIZE), ERR_FORBIDDEN);
	/* What was given for an agent, or a copy, is for that alone. */
	a = good, a.kind = TICKET_DEVICE;
	CHECK_INT(export_with(&c, &s, &a, soon, key, &s.agent, TICKET_SIZE), ERR_FORBIDDEN);
	a = good, a.kind = TICKET_COPY;
	CHECK_INT(export_with(&c, &s, &a, soon, key, &s.agent, TICKET_SIZE), ERR_FORBIDDEN);
	secret_free(key);
	secret_free(other);
	sample_free(&s);
	sample_free(&t);
	end_keyd(&c);
}

TEST_KEYD(no_key_is_copied_that_nobody_asked_for, "KEY-4,DEV-5,SEC-7")
{
	struct keys_client c;
	struct sample s;
	struct sample_proof store;
	struct uuid clone = uuid_new(), other = uuid_new();
	uint8_t point[TICKET_POINT_SIZE];
	struct buf out = BUF_INIT;
	struct keys_asked asked;

	begin_keyd(&c);
	sample_make(&s, &c);
	CHECK_INT(sample_copy(&c, &s, &s.named, &clone, 4, &out), 0);
	ticket_copy(&clone, 4, point);
	asked = (struct keys_asked){ s.agent, sample_prove(&s, TICKET_COPY, &s.tenant, &s.device, 1, point, &store).ticket };
	CHECK_INT(keys_device_rewrap(&c, &s.request, &s.named, view(&s.wrapped_device), &other, 4, &asked, &out), ERR_FORBIDDEN);
	CHECK_INT(keys_device_rewrap(&c, &s.request, &s.named, view(&s.wrapped_device), &clone, 5, &asked, &out), ERR_FORBIDDEN);
	asked.by = other;
	CHECK_INT(keys_device_rewrap(&c, &s.request, &s.named, view(&s.wrapped_device), &clone, 4, &asked, &out), ERR_FORBIDDEN);
	asked = (struct keys_asked){ s.agent, { NULL, 0 } };
	CHECK_INT(keys_device_rewrap(&c, &s.request, &s.named, view(&s.wrapped_device), &clone, 4, &asked, &out), ERR_FORBIDDEN);
	buf_free(&out);
	sample_free(&s);
	end_keyd(&c);
}

TEST_MAIN
