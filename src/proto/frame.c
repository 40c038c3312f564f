/* frame.c - heads of frames, the table of kinds, and ERROR frames. */
#include "proto/frame.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/wire.h"
#include "proto/internal.h"

static const uint8_t magic[3] = { 'K', 'W', 'D' };

/* Sizes from the whole frame's point of view; a record's and an enrolment's sealed part vary. */
static const struct kind_row {
	enum proto_kind kind;
	size_t least, most;
} kinds[] = {
	{ PROTO_ENROL_START, PROTO_ENROL_START_SIZE, PROTO_ENROL_START_SIZE },
	{ PROTO_ENROL_START_ANSWER, PROTO_ENROL_START_SIZE, PROTO_ENROL_START_SIZE },
	{ PROTO_ENROL_FINISH, PROTO_ENROL_CLEAR_SIZE + PROTO_TAG_SIZE, PROTO_HANDSHAKE_MAX },
	{ PROTO_ENROL_FINISH_ANSWER, PROTO_ENROL_CLEAR_SIZE + PROTO_TAG_SIZE, PROTO_HANDSHAKE_MAX },
	{ PROTO_HELLO, PROTO_HELLO_SIZE, PROTO_HELLO_SIZE },
	{ PROTO_HELLO_ANSWER, PROTO_HELLO_ANSWER_SIZE, PROTO_HELLO_ANSWER_SIZE },
	{ PROTO_FINISH, PROTO_FINISH_SIZE, PROTO_FINISH_SIZE },
	{ PROTO_FINISH_ANSWER, PROTO_FINISH_ANSWER_SIZE, PROTO_FINISH_ANSWER_SIZE },
	{ PROTO_RECORD, PROTO_RECORD_HEAD_SIZE + PROTO_TAG_SIZE, PROTO_FRAME_MAX },
	{ PROTO_RECORD_ANSWER, PROTO_RECORD_HEAD_SIZE + PROTO_TAG_SIZE, PROTO_FRAME_MAX },
	{ PROTO_ERROR, PROTO_HEAD_SIZE + 5, PROTO_HEAD_SIZE + 5 },
};

static int check_size(uint8_t kind, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (kinds[i].kind != kind)
			continue;
		if (len < kinds[i].least)
			return err_set(ERR_TRUNCATED, "frame of kind %u is truncated", kind);
		return len > kinds[i].most ? err_set(ERR_TOO_LARGE, "frame of kind %u is too large", kind) : 0;
	}
	return err_set(ERR_INVALID, "frame of unknown kind %u", kind);
}

int proto_frame_peek(const void *data, size_t len, struct proto_frame *out)
{
	struct wire_reader r = wire_read(data, len);
	struct wire_view head = wire_get_raw(&r, sizeof magic);
	uint8_t version = wire_get_u8(&r), kind = wire_get_u8(&r);
	struct proto_frame f = { .kind = kind };
	int rc;

	if (len < PROTO_HEAD_SIZE)
		return err_set(ERR_TRUNCATED, "frame is truncated");
	if (memcmp(head.data, magic, sizeof magic) != 0)
		return err_set(ERR_INVALID, "not a frame of this protocol");
	if (version != PROTO_VERSION)
		return err_set(ERR_VERSION, "protocol version %u is not spoken here", version);
	rc = check_size(kind, len);
	if (rc < 0)
		return rc;
	if (kind != PROTO_ERROR)
		f.id = wire_get_uuid(&r);
	if (kind == PROTO_RECORD || kind == PROTO_RECORD_ANSWER)
		f.counter = wire_get_u64(&r);
	*out = f;
	return 0;
}

void proto_frame_begin(struct buf *out, enum proto_kind kind)
{
	buf_reset(out);
	wire_put_raw(out, magic, sizeof magic);
	wire_put_u8(out, PROTO_VERSION);
	wire_put_u8(out, (uint8_t)kind);
}

int proto_frame_expect(const void *data, size_t len, enum proto_kind kind, struct proto_frame *out)
{
	struct proto_frame f;
	uint32_t retry;
	int rc = proto_frame_peek(data, len, &f);

	if (rc < 0)
		return rc;
	if (f.kind == PROTO_ERROR && kind != PROTO_ERROR)
		return proto_error_read(data, len, &retry);
	if (f.kind != kind)
		return err_set(ERR_INVALID, "frame of kind %d where %d was due", f.kind, kind);
	*out = f;
	return 0;
}

/* What may be said to somebody who has proven nothing. */
static int public_code(int code)
{
	switch (code) {
	case ERR_INVALID: case ERR_NOT_FOUND: case ERR_UNAUTHENTICATED: case ERR_CONFLICT: case ERR_TOO_LARGE:
	case ERR_TOO_MANY: case ERR_UNAVAILABLE: case ERR_TAMPERED: case ERR_REPLAYED: case ERR_REORDERED:
	case ERR_TRUNCATED: case ERR_VERSION: case ERR_EXPIRED:
		return code;
	case ERR_FORBIDDEN: case ERR_SUSPENDED:
		return ERR_UNAUTHENTICATED;
	case ERR_DB: case ERR_SEALED: case ERR_TIMEOUT: case ERR_BUSY:
		return ERR_UNAVAILABLE;
	default:
		return ERR_INTERNAL;
	}
}

void proto_error_frame(int code, uint32_t retry_after_s, struct buf *out)
{
	proto_frame_begin(out, PROTO_ERROR);
	wire_put_u8(out, (uint8_t)-public_code(code));
	wire_put_u32(out, retry_after_s);
}

int proto_error_read(const void *data, size_t len, uint32_t *retry_after_s)
{
	struct proto_frame f;
	struct wire_reader r = wire_read(data, len);
	int rc = proto_frame_peek(data, len, &f), code;
	uint32_t retry;

	if (rc < 0)
		return rc;
	wire_get_raw(&r, PROTO_HEAD_SIZE);
	code = -wire_get_u8(&r);
	retry = wire_get_u32(&r);
	if (f.kind != PROTO_ERROR || wire_end(&r) < 0 || public_code(code) != code)
		return err_set(ERR_INVALID, "not an error frame");
	*retry_after_s = retry;
	return err_set(code, "the peer says: %s", err_name(code));
}
