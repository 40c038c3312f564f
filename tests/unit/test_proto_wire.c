/* test_proto_wire.c - the agent protocol against somebody who reads and alters what TLS carries: every byte of every
 * frame of the handshakes changed, every length cut, frames repeated, reflected, mixed up, proofs moved elsewhere. */
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

/* What the holder of SIGNER's key proves as P in the conversation TRANSCRIPT under MASTER. */
static void prove(const struct proto_party *p, const struct proto_signer *signer, const uint8_t *master,
	const uint8_t *transcript, uint8_t auth[static PROTO_AUTH_SIZE])
{
	struct buf frame = BUF_INIT;

	buf_add(&frame, "head", 4);
	CHECK_INT(proto_auth_seal(&proto_side_agent, master, transcript, p, signer, &frame), 0);
	CHECK_INT(proto_auth_open(&proto_side_agent, master, transcript, (uint8_t *)frame.data, 4, auth), 0);
	CHECK_INT(proto_auth_check(&proto_side_agent, master, transcript, p, auth), 0);
	buf_free(&frame);
}

/* AUTH with the name of P, checked as P's. */
static int accepted_as(const struct proto_side *side, const struct proto_party *p, const uint8_t *master,
	const uint8_t *transcript, const uint8_t *auth)
{
	uint8_t copy[PROTO_AUTH_SIZE];

	memcpy(copy, auth, sizeof copy);
	memcpy(copy, p->who, sizeof p->who);
	return proto_auth_check(side, master, transcript, p, copy);
}

/* Identity misbinding: what one party proved does not count for another, not even one with the same key. */
TEST(proof_counts_for_one_identity_only, "AGT-2")
{
	static const uint8_t master[32] = { 1 }, transcript[32] = { 2 };
	struct peer p;
	uint8_t auth[PROTO_AUTH_SIZE];
	struct proto_party agent, twin, elsewhere, server;
	struct proto_signer signer;
	struct uuid other = uuid_new();

	begin(&p);
	signer = proto_signer_of(p.agent_key);
	proto_party_agent(&agent, &p.account, &p.agent, p.agent_public);
	proto_party_agent(&twin, &p.account, &other, p.agent_public);
	proto_party_agent(&elsewhere, &other, &p.agent, p.agent_public);
	proto_party_server(&server, p.agent_public);
	prove(&agent, &signer, master, transcript, auth);
	CHECK_INT(accepted_as(&proto_side_agent, &agent, master, transcript, auth), 0);
	CHECK_INT(accepted_as(&proto_side_agent, &twin, master, transcript, auth), ERR_UNAUTHENTICATED);
	CHECK_INT(accepted_as(&proto_side_agent, &elsewhere, master, transcript, auth), ERR_UNAUTHENTICATED);
	CHECK_INT(accepted_as(&proto_side_server, &server, master, transcript, auth), ERR_UNAUTHENTICATED);
	CHECK_INT(accepted_as(&proto_side_server, &agent, master, transcript, auth), ERR_UNAUTHENTICATED);
	auth[0] ^= 1;                                    /* right proof, other name */
	CHECK_INT(proto_auth_check(&proto_side_agent, master, transcript, &agent, auth), ERR_UNAUTHENTICATED);
	peer_end(&p);
}

/* Signature and MAC each bind the conversation by themselves: halves of two proofs do not make a third. */
TEST(proof_counts_for_one_conversation_only, "AGT-2")
{
	static const uint8_t master[32] = { 1 }, other_master[32] = { 3 }, transcript[32] = { 2 }, other[32] = { 4 };
	const size_t mac_at = 16 + PROTO_SIGNATURE_SIZE;
	struct peer p;
	uint8_t here[PROTO_AUTH_SIZE], there[PROTO_AUTH_SIZE], elsewhere[PROTO_AUTH_SIZE];
	struct proto_party agent;
	struct proto_signer signer;

	begin(&p);
	signer = proto_signer_of(p.agent_key);
	proto_party_agent(&agent, &p.account, &p.agent, p.agent_public);
	prove(&agent, &signer, master, transcript, here);
	prove(&agent, &signer, master, other, there);
	prove(&agent, &signer, other_master, transcript, elsewhere);
	CHECK_INT(accepted_as(&proto_side_agent, &agent, master, other, here), ERR_UNAUTHENTICATED);
	CHECK_INT(accepted_as(&proto_side_agent, &agent, other_master, transcript, here), ERR_UNAUTHENTICATED);
	memcpy(there + 16, here + 16, PROTO_SIGNATURE_SIZE);             /* signature from here, MAC from there */
	CHECK_INT(accepted_as(&proto_side_agent, &agent, master, other, there), ERR_UNAUTHENTICATED);
	CHECK_INT(accepted_as(&proto_side_agent, &agent, master, transcript, there), ERR_UNAUTHENTICATED);
	memcpy(here + mac_at, elsewhere + mac_at, 32);                   /* right signature, MAC of another secret */
	CHECK_INT(accepted_as(&proto_side_agent, &agent, master, transcript, here), ERR_UNAUTHENTICATED);
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

/* Every reader gets a well-formed frame of every other kind, ERROR included: refused, and never read beyond its end. */
TEST(kinds_are_not_mixed, "AGT-2,SEC-5")
{
	static const size_t sizes[] = { [PROTO_ENROL_START] = 86, [PROTO_ENROL_START_ANSWER] = 86,
		[PROTO_ENROL_FINISH] = 69, [PROTO_ENROL_FINISH_ANSWER] = 69, [PROTO_HELLO] = 118, [PROTO_HELLO_ANSWER] = 246, [PROTO_FINISH] = 149,
		[PROTO_FINISH_ANSWER] = 49, [PROTO_RECORD] = 45, [PROTO_RECORD_ANSWER] = 45, [PROTO_ERROR] = 10 };
	struct peer p;
	struct proto_client c;
	struct proto_reply reply;
	struct proto_frame f;
	struct buf out = BUF_INIT;

	begin(&p);
	peer_client(&p, &c);
	CHECK_INT(proto_connect(&c), 0);
	for (int kind = 0; kind < (int)ARRAY_LEN(sizes); kind++) {
		struct buf frame = BUF_INIT;
		uint8_t *exact;

		proto_frame_begin(&frame, (enum proto_kind)kind);
		if (sizes[kind])
			memset(buf_extend(&frame, sizes[kind] - PROTO_HEAD_SIZE), 1, sizes[kind] - PROTO_HEAD_SIZE);
		exact = malloc(frame.len);
		memcpy(exact, frame.data, frame.len);
		CHECK_INT(proto_frame_peek(exact, frame.len, &f), sizes[kind] ? 0 : ERR_INVALID);
		if (kind != PROTO_ENROL_START)
			CHECK(proto_enrol_accept(&p.enrolment, exact, frame.len, NULL, p.now, &out) < 0);
		if (kind != PROTO_ENROL_FINISH)
			CHECK_INT(proto_enrol_open(&p.enrolment, exact, frame.len, p.now, &p.enrolled), ERR_INVALID);
		if (kind != PROTO_HELLO)
			CHECK_INT(proto_hello_accept(&p.sessions[1], exact, frame.len, &p.identity, p.now, &out),
				ERR_INVALID);
		if (kind != PROTO_FINISH)
			CHECK_INT(proto_finish_accept(&p.sessions[0], exact, frame.len, peer_lookup, &p, 9, p.now, &out),
				ERR_INVALID);
		if (kind != PROTO_RECORD)
			CHECK_INT(proto_record_open(&p.sessions[0], exact, frame.len, p.now, &out, &reply), ERR_INVALID);
		free(exact);
		buf_free(&frame);
	}
	CHECK_INT(peer_beat(&c), 0);
	buf_free(&out);
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

TEST_MAIN
