/* record.c - records of a session: the ratchet, sealing and opening, and the server's counters. */
#include "proto/record.h"

#include <string.h>

#include "base/err.h"
#include "base/wire.h"
#include "proto/internal.h"

static int next_key(uint8_t key[static PROTO_KEY_SIZE])
{
	uint8_t next[PROTO_KEY_SIZE];
	int rc = proto_hkdf_expand(key, PROTO_KEY_SIZE, "keyward rekey", NULL, 0, next, sizeof next);

	if (rc == 0)
		memcpy(key, next, sizeof next);
	secret_wipe(next, sizeof next);
	return rc;
}

int proto_keys_forward(struct proto_record_keys *k, uint64_t counter)
{
	uint64_t epoch = counter >> PROTO_EPOCH_SHIFT;
	struct proto_record_keys next = *k;
	int rc = 0;

	if (epoch < k->epoch)
		rc = err_set(ERR_REPLAYED, "record of an epoch that is over");
	else if (epoch - k->epoch > PROTO_EPOCH_JUMP_MAX)
		rc = err_set(ERR_INVALID, "record's counter is too far ahead");
	for (; rc == 0 && next.epoch < epoch; next.epoch++) {
		rc = next_key(next.key_agent);
		if (rc == 0)
			rc = next_key(next.key_server);
	}
	if (rc == 0)
		*k = next;
	secret_wipe(&next, sizeof next);
	return rc;
}

static const char *direction_of(enum proto_kind kind)
{
	return kind == PROTO_RECORD ? PROTO_AGENT_TO_SERVER : PROTO_SERVER_TO_AGENT;
}

int proto_record_write(enum proto_kind kind, const struct uuid *session, uint64_t counter,
	const uint8_t key[static PROTO_KEY_SIZE], const void *plain, size_t len, struct buf *out)
{
	uint8_t *sealed;

	if (len > PROTO_RECORD_PLAIN_MAX)
		return err_set(ERR_TOO_LARGE, "message of %zu bytes does not fit a record", len);
	proto_frame_begin(out, kind);
	wire_put_uuid(out, session);
	wire_put_u64(out, counter);
	sealed = buf_extend(out, len + PROTO_TAG_SIZE);
	return proto_aead_seal(key, direction_of(kind), counter, out->data, PROTO_RECORD_HEAD_SIZE, plain, len, sealed);
}

int proto_record_read(const struct proto_frame *f, const void *data, size_t len,
	const uint8_t key[static PROTO_KEY_SIZE], struct buf *out)
{
	const uint8_t *frame = data;
	size_t sealed = len - PROTO_RECORD_HEAD_SIZE;
	int rc;

	buf_reset(out);
	rc = proto_aead_open(key, direction_of(f->kind), f->counter, frame, PROTO_RECORD_HEAD_SIZE,
		frame + PROTO_RECORD_HEAD_SIZE, sealed, buf_extend(out, sealed - PROTO_TAG_SIZE));
	if (rc < 0)
		buf_reset(out);
	return rc;
}

/* Whether a counter may still come. Told before decryption: nothing changes, so a forger learns only his own number. */
static int check_counter(const struct proto_server_session *s, uint64_t counter)
{
	uint64_t behind = s->highest - counter;

	if (counter == 0)
		return err_set(ERR_INVALID, "record counters begin at 1");
	if (counter > s->highest)
		return 0;
	if (behind < PROTO_WINDOW && !(s->seen >> behind & 1))
		return err_set(ERR_REORDERED, "record came after a later one");
	return err_set(ERR_REPLAYED, "record came again");
}

static void note_counter(struct proto_server_session *s, uint64_t counter)
{
	uint64_t ahead = counter - s->highest;

	s->seen = ahead < PROTO_WINDOW ? s->seen << ahead | 1 : 1;
	s->highest = counter;
}

static int check_session(struct proto_server_session *s, const struct proto_frame *f, clock_us now)
{
	if (s->state != PROTO_STATE_OPEN || !uuid_equal(&s->id, &f->id))
		return err_set(ERR_NOT_FOUND, "no such session");
	if (now < s->expires)
		return 0;
	proto_session_wipe(s);
	return err_set(ERR_EXPIRED, "session has run out");
}

int proto_record_open(struct proto_server_session *s, const void *data, size_t len, clock_us now, struct buf *plain,
	struct proto_reply *reply)
{
	struct proto_record_keys keys;
	struct proto_frame f;
	int rc = proto_frame_expect(data, len, PROTO_RECORD, &f);

	if (rc == 0)
		rc = check_session(s, &f, now);
	if (rc == 0)
		rc = check_counter(s, f.counter);
	if (rc < 0)
		return rc;
	/* On a copy: a forged counter must not move the real keys. */
	keys = s->keys;
	rc = proto_keys_forward(&keys, f.counter);
	if (rc == 0)
		rc = proto_record_read(&f, data, len, keys.key_agent, plain);
	if (rc == 0) {
		s->keys = keys;
		note_counter(s, f.counter);
		*reply = (struct proto_reply){ .session = s->id, .counter = f.counter };
		memcpy(reply->key, keys.key_server, sizeof reply->key);
	}
	secret_wipe(&keys, sizeof keys);
	return rc;
}

int proto_record_seal(struct proto_reply *reply, const void *plain, size_t len, struct buf *frame)
{
	int rc;

	/* A second answer under the same counter would use a GCM nonce twice. */
	if (reply->counter == 0)
		return err_set(ERR_CONFLICT, "this request is answered already");
	if (len > PROTO_RECORD_PLAIN_MAX)
		return err_set(ERR_TOO_LARGE, "message of %zu bytes does not fit a record", len);
	rc = proto_record_write(PROTO_RECORD_ANSWER, &reply->session, reply->counter, reply->key, plain, len, frame);
	proto_reply_wipe(reply);
	return rc;
}

void proto_reply_wipe(struct proto_reply *reply)
{
	secret_wipe(reply, sizeof *reply);
}
