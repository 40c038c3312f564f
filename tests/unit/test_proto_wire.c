/* test_proto_wire.c - the agent protocol against somebody who reads and alters what TLS carries: every byte of every
 * frame changed, every length cut, frames repeated, reordered, reflected, swapped, and counters across epochs. */
#include "check.h"

#include "proto_peer.h"

/* One change on the way: the frame of KIND is flipped at AT, cut to AT bytes, or lengthened by one byte. */
struct change {
	int kind;
	enum { FLIP, CUT, GROW } how;
	size_t at;
	uint8_t bit;
	int done;                                /* the frame came by and was long enough */
	int server_rc;                           /* what the server said of it, when it travels upwards */
};

static int change_hook(struct peer *p, int down, struct buf *frame)
{
	struct change *c = p->hook_data;
	size_t keep = c->at;

	if (frame->len < 5 || frame->data[4] != c->kind || frame->len < c->at + (c->how == GROW ? 0 : 1))
		return 0;
	c->done = 1;
	if (c->how == FLIP)
		frame->data[c->at] = (char)(frame->data[c->at] ^ c->bit);
	else if (c->how == GROW)
		buf_putc(frame, 'x');
	else {
		struct buf shorter = BUF_INIT;

		buf_add(&shorter, frame->data, keep);
		buf_free(frame);
		*frame = shorter;
	}
	return 0;
}

/* An enrolment without the slow password hash. */
static int quick_enrol(struct peer *p, const struct proto_signer *signer, struct proto_enrolled *out)
{
	struct proto_agent_enrolment a = { .account = p->account };
	struct proto_description d = { .provider = "native",
		.instance_id = "i-1",
		.host = { .name = "h", .system = "linux", .agent_version = "1" } };
	struct buf request = BUF_INIT, answer = BUF_INIT;
	uint8_t public_key[PROTO_POINT_SIZE];
	int rc = proto_key_public(p->agent_key->data, public_key);

	memcpy(a.w, p->verifier, sizeof a.w);
	if (rc == 0)
		rc = proto_ephemeral_new(&a.ephemeral);
	if (rc == 0)
		rc = proto_agent_enrol_start(&a, &request);
	if (rc == 0)
		rc = peer_post(p, &request, &answer);
	if (rc == 0)
		rc = proto_agent_enrol_finish(&a, &answer, public_key, signer, &d, &request);
	if (rc == 0)
		rc = peer_post(p, &request, &answer);
	if (rc == 0)
		rc = proto_agent_enrol_end(&a, &answer, out);
	proto_agent_enrolment_wipe(&a);
	buf_free(&answer);
	buf_free(&request);
	return rc;
}

static void begin(struct peer *p)
{
	peer_begin(p);
	CHECK_INT(proto_random(p->verifier, sizeof p->verifier), 0);
	p->verifier[0] = 0;                      /* below the group's order */
}

/* 1 when an enrolment under change C fails at the agent, with a code of the kind that tampering gives. */
static int enrolment_fails(struct peer *p, struct change *c)
{
	struct proto_signer signer = proto_signer_of(p->agent_key);
	struct proto_enrolled out = { .agent = { { 0 } } };
	int rc;

	p->hook = change_hook;
	p->hook_data = c;
	rc = quick_enrol(p, &signer, &out);
	return rc < 0 && rc != ERR_CRYPTO && rc != ERR_INTERNAL && uuid_is_nil(&out.agent);
}

static int session_fails(struct peer *p, struct change *c)
{
	struct proto_client client;
	int rc;

	p->sessions_count = 0;
	p->hook = change_hook;
	p->hook_data = c;
	peer_client(p, &client);
	rc = proto_connect(&client);
	proto_disconnect(&client);
	return rc < 0 && rc != ERR_CRYPTO && rc != ERR_INTERNAL;
}

/* Every position of the frame of KIND, all changes; how many positions there were. */
static size_t try_all(struct peer *p, int kind, int (*fails)(struct peer *, struct change *))
{
	struct change c;
	size_t at;

	for (at = 0; at < PROTO_HANDSHAKE_MAX; at++) {
		c = (struct change){ .kind = kind, .how = FLIP, .at = at, .bit = (uint8_t)(1 << at % 8) };
		if (!fails(p, &c) && c.done) {
			printf("    frame %d accepted with byte %zu changed\n", kind, at);
			check_failures++;
		}
		if (!c.done)
			break;
		c = (struct change){ .kind = kind, .how = CUT, .at = at };
		if (!fails(p, &c) || !c.done) {
			printf("    frame %d accepted when cut to %zu bytes\n", kind, at);
			check_failures++;
		}
	}
	c = (struct change){ .kind = kind, .how = GROW };
	CHECK(fails(p, &c) && c.done);
	return at;
}

TEST(enrolment_frames_tampered_and_cut, "AGT-2,TEN-1,SEC-5")
{
	struct peer p;
	struct proto_enrolled out;
	struct proto_signer signer;

	begin(&p);
	signer = proto_signer_of(p.agent_key);
	CHECK_INT(quick_enrol(&p, &signer, &out), 0);
	CHECK_INT(try_all(&p, PROTO_ENROL_START, enrolment_fails), PROTO_ENROL_START_SIZE);
	CHECK_INT(try_all(&p, PROTO_ENROL_START_ANSWER, enrolment_fails), PROTO_ENROL_START_SIZE);
	CHECK(try_all(&p, PROTO_ENROL_FINISH, enrolment_fails)
		> PROTO_ENROL_CLEAR_SIZE + PROTO_POINT_SIZE + PROTO_SIGNATURE_SIZE);
	CHECK_INT(
		try_all(&p, PROTO_ENROL_FINISH_ANSWER, enrolment_fails), PROTO_ENROL_CLEAR_SIZE + 1 + 8 + 16 + 65 + 16);
	p.hook = NULL;
	CHECK_INT(quick_enrol(&p, &signer, &out), 0);
	peer_end(&p);
}

TEST(session_frames_tampered_and_cut, "AGT-2,SEC-5")
{
	struct peer p;
	struct change none = { .kind = -1 };

	begin(&p);
	CHECK(!session_fails(&p, &none));
	CHECK_INT(try_all(&p, PROTO_HELLO, session_fails), PROTO_HELLO_SIZE);
	CHECK_INT(try_all(&p, PROTO_HELLO_ANSWER, session_fails), PROTO_HELLO_ANSWER_SIZE);
	CHECK_INT(try_all(&p, PROTO_FINISH, session_fails), PROTO_FINISH_SIZE);
	CHECK_INT(try_all(&p, PROTO_FINISH_ANSWER, session_fails), PROTO_FINISH_ANSWER_SIZE);
	CHECK(!session_fails(&p, &none));
	peer_end(&p);
}

/* A wrong FINISH closes the half-open session at the server, whatever the agent does next. */
TEST(tampered_finish_ends_the_handshake, "AGT-2")
{
	struct peer p;
	struct change c = { .kind = PROTO_FINISH, .how = FLIP, .at = 60, .bit = 1 };

	begin(&p);
	CHECK(session_fails(&p, &c));
	CHECK_INT(p.sessions[0].state, PROTO_STATE_DEAD);
	CHECK(uuid_is_nil(&p.sessions[0].agent));
	peer_end(&p);
}

TEST(possession_of_the_registered_key, "AGT-2,TEN-1")
{
	struct peer p, other;
	struct proto_enrolled out;
	struct proto_signer signer;

	begin(&p);
	begin(&other);
	signer = proto_signer_of(other.agent_key);       /* registers p's public key without having it */
	CHECK_INT(quick_enrol(&p, &signer, &out), ERR_TAMPERED);
	CHECK_INT(p.enrolment.state, PROTO_STATE_DEAD);
	peer_end(&other);
	peer_end(&p);
}

/* The attacker answers with the agent's own frame under another kind. */
static int reflect_hook(struct peer *p, int down, struct buf *frame)
{
	static struct buf kept = BUF_INIT;

	if (!down) {
		buf_reset(&kept);
		buf_add(&kept, frame->data, frame->len);
	} else if (kept.data[4] == *(int *)p->hook_data) {
		buf_reset(frame);
		buf_add(frame, kept.data, kept.len);
		frame->data[4]++;
		buf_free(&kept);
	}
	return 0;
}

TEST(reflected_frames, "AGT-2")
{
	struct peer p;
	struct proto_enrolled out;
	struct proto_signer signer;
	struct proto_client client;
	int kind;

	begin(&p);
	signer = proto_signer_of(p.agent_key);
	p.hook = reflect_hook;
	p.hook_data = &kind;
	kind = PROTO_ENROL_START;
	CHECK(quick_enrol(&p, &signer, &out) < 0);
	kind = PROTO_ENROL_FINISH;
	CHECK_INT(quick_enrol(&p, &signer, &out), ERR_UNAUTHENTICATED);
	peer_client(&p, &client);
	kind = PROTO_HELLO;
	CHECK_INT(proto_connect(&client), ERR_TRUNCATED);
	kind = PROTO_FINISH;
	CHECK_INT(proto_connect(&client), ERR_TOO_LARGE);
	kind = -1;
	CHECK_INT(proto_connect(&client), 0);
	kind = PROTO_RECORD;
	p.sessions_count = PEER_SESSIONS;
	CHECK(peer_beat(&client) < 0);
	CHECK(client.keys == NULL);
	proto_disconnect(&client);
	peer_end(&p);
}

/* Identity misbinding: what one party proved does not count for another, not even one with the same key. */
TEST(proof_counts_for_one_identity_only, "AGT-2")
{
	struct peer p;
	uint8_t master[32] = { 1 }, transcript[32] = { 2 }, auth[PROTO_AUTH_SIZE];
	struct proto_party agent, twin, elsewhere, server;
	struct proto_signer signer;
	struct buf frame = BUF_INIT;
	struct uuid other = uuid_new();

	begin(&p);
	signer = proto_signer_of(p.agent_key);
	proto_party_agent(&agent, &p.account, &p.agent, p.agent_public);
	proto_party_agent(&twin, &p.account, &other, p.agent_public);
	proto_party_agent(&elsewhere, &other, &p.agent, p.agent_public);
	proto_party_server(&server, p.agent_public);
	buf_add(&frame, "head", 4);
	CHECK_INT(proto_auth_seal(&proto_side_agent, master, transcript, &agent, &signer, &frame), 0);
	CHECK_INT(proto_auth_open(&proto_side_agent, master, transcript, (uint8_t *)frame.data, 4, auth), 0);
	CHECK_INT(proto_auth_check(&proto_side_agent, master, transcript, &agent, auth), 0);
	CHECK_INT(proto_auth_check(&proto_side_agent, master, transcript, &twin, auth), ERR_UNAUTHENTICATED);
	memcpy(auth, twin.who, 16);
	CHECK_INT(proto_auth_check(&proto_side_agent, master, transcript, &twin, auth), ERR_UNAUTHENTICATED);
	memcpy(auth, agent.who, 16);
	CHECK_INT(proto_auth_check(&proto_side_agent, master, transcript, &elsewhere, auth), ERR_UNAUTHENTICATED);
	memcpy(auth, server.who, 16);
	CHECK_INT(proto_auth_check(&proto_side_server, master, transcript, &server, auth), ERR_UNAUTHENTICATED);
	memcpy(auth, agent.who, 16);
	transcript[0] ^= 1;                              /* another conversation */
	CHECK_INT(proto_auth_check(&proto_side_agent, master, transcript, &agent, auth), ERR_UNAUTHENTICATED);
	CHECK_INT(proto_auth_open(&proto_side_agent, master, transcript, (uint8_t *)frame.data, 4, auth), ERR_TAMPERED);
	transcript[0] ^= 1;
	master[0] ^= 1;                                  /* same words, other secret: the MAC */
	CHECK_INT(proto_auth_check(&proto_side_agent, master, transcript, &agent, auth), ERR_UNAUTHENTICATED);
	buf_free(&frame);
	peer_end(&p);
}

TEST(finish_cannot_be_repeated_or_come_late, "AGT-2")
{
	struct peer p;
	struct proto_client client;
	struct proto_agent_handshake h = { 0 };
	struct buf request = BUF_INIT, answer = BUF_INIT;

	begin(&p);
	peer_client(&p, &client);
	for (int late = 0; late < 2; late++) {
		CHECK_INT(proto_ephemeral_new(&h.ephemeral), 0);
		CHECK_INT(proto_agent_hello(&h, &p.account, &request), 0);
		CHECK_INT(peer_dispatch(&p, &request, &answer), 0);
		CHECK_INT(proto_agent_finish(&h, &client, &answer, &request), 0);
		p.now += late * PROTO_HANDSHAKE_TIME;
		CHECK_INT(peer_dispatch(&p, &request, &answer), late ? ERR_EXPIRED : 0);
		CHECK_INT(peer_dispatch(&p, &request, &answer), late ? ERR_EXPIRED : ERR_REPLAYED);
	}
	proto_agent_handshake_wipe(&h);
	buf_free(&answer);
	buf_free(&request);
	peer_end(&p);
}

/* Records */

/* A record of the client's session as the agent would write it, with a counter of our choice. */
static void write_record(const struct proto_client *c, uint64_t counter, struct buf *out)
{
	struct proto_record_keys keys = *(const struct proto_record_keys *)(const void *)c->keys->data;
	static const char text[] = "{\"type\":\"heartbeat\",\"uptime_s\":1}";

	keys.epoch = 0;
	CHECK_INT(proto_keys_forward(&keys, counter), 0);
	CHECK_INT(
		proto_record_write(PROTO_RECORD, &c->session, counter, keys.key_agent, text, sizeof text - 1, out), 0);
}

static int deliver(struct peer *p, const struct proto_client *c, uint64_t counter)
{
	struct buf frame = BUF_INIT, answer = BUF_INIT;
	int rc;

	write_record(c, counter, &frame);
	rc = peer_dispatch(p, &frame, &answer);
	buf_free(&answer);
	buf_free(&frame);
	return rc;
}

TEST(replayed_and_reordered_records, "AGT-2")
{
	struct peer p;
	struct proto_client c;

	begin(&p);
	peer_client(&p, &c);
	CHECK_INT(proto_connect(&c), 0);
	CHECK_INT(deliver(&p, &c, 0), ERR_INVALID);
	CHECK_INT(deliver(&p, &c, 1), 0);
	CHECK_INT(deliver(&p, &c, 1), ERR_REPLAYED);
	CHECK_INT(deliver(&p, &c, 3), 0);                /* gaps are fine */
	CHECK_INT(deliver(&p, &c, 2), ERR_REORDERED);
	CHECK_INT(deliver(&p, &c, 2), ERR_REORDERED);    /* and stays refused */
	CHECK_INT(deliver(&p, &c, 3), ERR_REPLAYED);
	CHECK_INT(deliver(&p, &c, 66), 0);
	CHECK_INT(deliver(&p, &c, 3), ERR_REPLAYED);     /* 63 below, seen */
	CHECK_INT(deliver(&p, &c, 4), ERR_REORDERED);    /* 62 below, not seen */
	CHECK_INT(deliver(&p, &c, 2), ERR_REPLAYED);     /* 64 below: no longer told apart */
	CHECK_INT(deliver(&p, &c, 1000), 0);
	CHECK_INT(deliver(&p, &c, 999), ERR_REORDERED);
	CHECK_INT(deliver(&p, &c, 66), ERR_REPLAYED);
	CHECK_INT(p.requests, 4);
	proto_disconnect(&c);
	peer_end(&p);
}

TEST(records_tampered_and_cut, "AGT-2,SEC-5")
{
	struct peer p;
	struct proto_client c;
	struct buf frame = BUF_INIT, bad = BUF_INIT, answer = BUF_INIT;
	struct proto_server_session before;
	int rc;

	begin(&p);
	peer_client(&p, &c);
	CHECK_INT(proto_connect(&c), 0);
	write_record(&c, 5, &frame);
	before = p.sessions[0];
	for (size_t at = 0; at < frame.len; at++) {
		for (int bit = 0; bit < 8; bit++) {
			buf_reset(&bad);
			buf_add(&bad, frame.data, frame.len);
			bad.data[at] = (char)(bad.data[at] ^ 1 << bit);
			rc = peer_dispatch(&p, &bad, &answer);
			CHECK(rc == ERR_TAMPERED || rc == ERR_INVALID || rc == ERR_NOT_FOUND || rc == ERR_VERSION
				|| rc == ERR_REPLAYED || rc == ERR_TRUNCATED || rc == ERR_TOO_LARGE);
			if (at >= PROTO_RECORD_HEAD_SIZE)
				CHECK_INT(rc, ERR_TAMPERED);
		}
		buf_free(&bad);
		buf_add(&bad, frame.data, at);
		rc = peer_dispatch(&p, &bad, &answer);
		CHECK_INT(rc, at < PROTO_RECORD_HEAD_SIZE + PROTO_TAG_SIZE ? ERR_TRUNCATED : ERR_TAMPERED);
	}
	CHECK_INT(p.requests, 0);
	CHECK(memcmp(&before, &p.sessions[0], sizeof before) == 0);      /* forgeries leave no trace */
	CHECK_INT(peer_dispatch(&p, &frame, &answer), 0);
	buf_free(&answer);
	buf_free(&bad);
	buf_free(&frame);
	proto_disconnect(&c);
	peer_end(&p);
}

TEST(versions_are_told_apart, "AGT-2,OPS-4")
{
	struct peer p;
	struct change c = { .kind = PROTO_HELLO, .how = FLIP, .at = 3, .bit = 3 };       /* 1 becomes 2 */
	struct proto_client client;

	begin(&p);
	p.hook = change_hook;
	p.hook_data = &c;
	peer_client(&p, &client);
	CHECK_INT(proto_connect(&client), ERR_VERSION);
	c.kind = PROTO_HELLO_ANSWER;
	CHECK_INT(proto_connect(&client), ERR_VERSION);
	peer_end(&p);
}

TEST(keys_move_on_with_the_epoch, "AGT-2")
{
	struct peer p;
	struct proto_client c;
	struct proto_record_keys first, *now;
	const uint64_t epoch = (uint64_t)1 << PROTO_EPOCH_SHIFT;

	begin(&p);
	peer_client(&p, &c);
	CHECK_INT(proto_connect(&c), 0);
	now = (struct proto_record_keys *)(void *)c.keys->data;
	first = *now;
	c.counter = epoch - 3;
	for (int i = 0; i < 5; i++)
		CHECK_INT(peer_beat(&c), 0);
	CHECK_INT(p.sessions_count, 1);                                  /* all in one session */
	CHECK_INT(p.sessions[0].keys.epoch, 1);
	CHECK_INT(now->epoch, 1);
	CHECK(memcmp(&p.sessions[0].keys, now, sizeof *now) == 0);
	CHECK(memcmp(first.key_agent, now->key_agent, 32) != 0 && memcmp(first.key_server, now->key_server, 32) != 0);
	CHECK(memmem(&p.sessions[0], sizeof p.sessions[0], first.key_agent, 32) == NULL); /* the old key is gone */
	c.counter = 4 * epoch + 6;
	CHECK_INT(peer_beat(&c), 0);                                     /* three epochs at once */
	CHECK_INT(p.sessions[0].keys.epoch, 4);
	CHECK_INT(proto_keys_forward(now, 2 * epoch), ERR_REPLAYED);
	CHECK_INT(proto_keys_forward(now, (4 + PROTO_EPOCH_JUMP_MAX + 1) * epoch), ERR_INVALID);
	CHECK_INT(now->epoch, 4);
	proto_disconnect(&c);
	peer_end(&p);
}

TEST(counters_far_ahead_are_refused, "AGT-2,SEC-5")
{
	struct peer p;
	struct proto_client c;
	struct buf frame = BUF_INIT, answer = BUF_INIT;

	begin(&p);
	peer_client(&p, &c);
	CHECK_INT(proto_connect(&c), 0);
	write_record(&c, 1, &frame);
	memset(frame.data + PROTO_HEAD_SIZE + PROTO_ID_SIZE, 0xff, 8);
	CHECK_INT(peer_dispatch(&p, &frame, &answer), ERR_INVALID);
	CHECK_INT(p.sessions[0].highest, 0);
	CHECK_INT(peer_beat(&c), 0);
	buf_free(&answer);
	buf_free(&frame);
	proto_disconnect(&c);
	peer_end(&p);
}

TEST(one_answer_per_request, "AGT-2")
{
	struct peer p;
	struct proto_client c;
	struct proto_reply reply, empty = { .counter = 0 };
	struct buf frame = BUF_INIT, plain = BUF_INIT, out = BUF_INIT;

	begin(&p);
	peer_client(&p, &c);
	CHECK_INT(proto_connect(&c), 0);
	write_record(&c, 7, &frame);
	CHECK_INT(proto_record_open(&p.sessions[0], frame.data, frame.len, p.now, &plain, &reply), 0);
	CHECK_INT(proto_record_seal(&reply, "{}", 2, &out), 0);
	CHECK(memcmp(&reply, &empty, sizeof reply) == 0);
	CHECK_INT(proto_record_seal(&reply, "{}", 2, &out), ERR_CONFLICT);
	buf_free(&out);
	buf_free(&plain);
	buf_free(&frame);
	proto_disconnect(&c);
	peer_end(&p);
}

/* Two answers change places, or an old one comes again. */
static int swap_hook(struct peer *p, int down, struct buf *frame)
{
	struct buf *old = p->hook_data;

	if (!down || frame->data[4] != PROTO_RECORD_ANSWER)
		return 0;
	if (old->len == 0)
		buf_add(old, frame->data, frame->len);
	else {
		buf_reset(frame);
		buf_add(frame, old->data, old->len);
	}
	return 0;
}

TEST(answers_belong_to_their_request, "AGT-2")
{
	struct peer p;
	struct proto_client c;
	struct buf old = BUF_INIT;

	begin(&p);
	p.hook = swap_hook;
	p.hook_data = &old;
	peer_client(&p, &c);
	CHECK_INT(peer_beat(&c), 0);
	CHECK_INT(peer_beat(&c), ERR_TAMPERED);          /* also in the new session that it tries */
	CHECK_INT(p.sessions_count, 2);
	/* With the right counter written over it, the tag is wrong. */
	old.data[PROTO_RECORD_HEAD_SIZE - 1] = 3;
	memcpy(old.data + PROTO_HEAD_SIZE, c.session.bytes, 16);
	c.counter = 2;
	CHECK_INT(peer_beat(&c), ERR_TAMPERED);
	buf_free(&old);
	proto_disconnect(&c);
	peer_end(&p);
}

/* Clear errors are hints: at worst the agent makes a new session and says it again. */
static int lie_hook(struct peer *p, int down, struct buf *frame)
{
	int *code = p->hook_data;

	if (down && frame->data[4] == PROTO_RECORD_ANSWER && *code) {
		proto_error_frame(*code, 9, frame);
		*code = 0;
	}
	return 0;
}

TEST(errors_in_the_clear_are_hints, "AGT-2")
{
	struct peer p;
	struct proto_client c;
	int code = 0;

	begin(&p);
	p.hook = lie_hook;
	p.hook_data = &code;
	peer_client(&p, &c);
	CHECK_INT(peer_beat(&c), 0);
	code = ERR_EXPIRED;
	CHECK_INT(peer_beat(&c), 0);
	CHECK_INT(p.sessions_count, 2);
	CHECK_INT(p.requests, 3);                        /* so every message must bear to come twice */
	code = ERR_UNAVAILABLE;
	CHECK_INT(peer_beat(&c), ERR_UNAVAILABLE);
	CHECK_INT(peer_beat(&c), 0);
	CHECK_INT(p.sessions_count, 2);                  /* the session went on */
	proto_disconnect(&c);
	peer_end(&p);
}

TEST(error_frames_tell_strangers_little, "TEN-4,SEC-5")
{
	static const struct {
		int code, seen;
	} rows[] = {
		{ ERR_VERSION, ERR_VERSION }, { ERR_TRUNCATED, ERR_TRUNCATED }, { ERR_TAMPERED, ERR_TAMPERED },
		{ ERR_REPLAYED, ERR_REPLAYED }, { ERR_REORDERED, ERR_REORDERED }, { ERR_EXPIRED, ERR_EXPIRED },
		{ ERR_UNAUTHENTICATED, ERR_UNAUTHENTICATED }, { ERR_TOO_MANY, ERR_TOO_MANY },
		{ ERR_NOT_FOUND, ERR_NOT_FOUND }, { ERR_SUSPENDED, ERR_UNAUTHENTICATED },
		{ ERR_FORBIDDEN, ERR_UNAUTHENTICATED }, { ERR_DB, ERR_UNAVAILABLE }, { ERR_SEALED, ERR_UNAVAILABLE },
		{ ERR_CRYPTO, ERR_INTERNAL }, { ERR_IO, ERR_INTERNAL }, { -77, ERR_INTERNAL },
	};
	struct buf frame = BUF_INIT;
	uint32_t retry = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		proto_error_frame(rows[i].code, 1000 + (uint32_t)i, &frame);
		CHECK_INT(proto_error_read(frame.data, frame.len, &retry), rows[i].seen);
		CHECK_INT(retry, 1000 + i);
	}
	frame.data[5] = 12;                              /* ERR_CRYPTO: not a code that may be said in the clear */
	CHECK_INT(proto_error_read(frame.data, frame.len, &retry), ERR_INVALID);
	CHECK_INT(proto_error_read(frame.data, 4, &retry), ERR_TRUNCATED);
	buf_free(&frame);
}

TEST(state_is_wiped, "SEC-4,AGT-2")
{
	struct peer p;
	struct proto_client c;
	struct proto_server_session zero = { .state = PROTO_STATE_DEAD };

	begin(&p);
	peer_client(&p, &c);
	CHECK_INT(proto_connect(&c), 0);
	CHECK(memcmp(p.sessions[0].master, zero.master, 32) == 0);       /* only needed for the handshake */
	zero.id = p.sessions[0].id;
	proto_session_wipe(&p.sessions[0]);
	CHECK(memcmp(&p.sessions[0], &zero, sizeof zero) == 0);
	proto_disconnect(&c);
	CHECK(c.keys == NULL);
	peer_end(&p);
}

/* The transport's own failures come through as they are, and the session outlives them. */
static int cable_hook(struct peer *p, int down, struct buf *frame)
{
	return *(int *)p->hook_data;
}

TEST(transport_failures, "AGT-5")
{
	struct peer p;
	struct proto_client c;
	int rc = 0;

	begin(&p);
	p.hook = cable_hook;
	p.hook_data = &rc;
	peer_client(&p, &c);
	CHECK_INT(peer_beat(&c), 0);
	rc = ERR_TIMEOUT;
	CHECK_INT(peer_beat(&c), ERR_TIMEOUT);
	rc = 0;
	CHECK_INT(peer_beat(&c), 0);
	CHECK_INT(p.sessions_count, 1);
	CHECK_INT(p.sessions[0].highest, 3);
	proto_disconnect(&c);
	peer_end(&p);
}

TEST_MAIN
