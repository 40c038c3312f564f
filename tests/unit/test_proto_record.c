/* test_proto_record.c - records of a session: changed, cut, repeated, reordered, swapped; counters across epochs;
 * what the agent makes of errors. */
#include "check.h"

#include "proto_peer.h"

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

	peer_begin(&p);
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

	peer_begin(&p);
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

TEST(keys_move_on_with_the_epoch, "AGT-2")
{
	struct peer p;
	struct proto_client c;
	struct proto_record_keys first, *now;
	const uint64_t epoch = (uint64_t)1 << PROTO_EPOCH_SHIFT;

	peer_begin(&p);
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

	peer_begin(&p);
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

	peer_begin(&p);
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

	peer_begin(&p);
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

	peer_begin(&p);
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

	peer_begin(&p);
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

	peer_begin(&p);
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
