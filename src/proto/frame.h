/* frame.h - the outer form of everything that travels: one frame per HTTP body, request and answer alike.
 *
 * A frame is "KWD", a version byte, a kind byte, then the fields of its kind (docs/protocol.md shows every byte). */
#ifndef PROTO_FRAME_H
#define PROTO_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/uuid.h"

#define PROTO_PATH "/agent/v1"
#define PROTO_CONTENT_TYPE "application/octet-stream"
#define PROTO_VERSION 1
#define PROTO_HEAD_SIZE 5
#define PROTO_ID_SIZE 16
#define PROTO_NONCE_SIZE 32
#define PROTO_FRAME_MAX (512 * 1024)             /* a whole frame: what an HTTP server must accept */
#define PROTO_HANDSHAKE_MAX 8192                 /* any frame but a record */

enum proto_kind {
	PROTO_ENROL_START = 1,
	PROTO_ENROL_START_ANSWER = 2,
	PROTO_ENROL_FINISH = 3,
	PROTO_ENROL_FINISH_ANSWER = 4,
	PROTO_HELLO = 5,
	PROTO_HELLO_ANSWER = 6,
	PROTO_FINISH = 7,
	PROTO_FINISH_ANSWER = 8,
	PROTO_RECORD = 9,
	PROTO_RECORD_ANSWER = 10,
	PROTO_ERROR = 15
};

/* What can be told from a frame before any key is known. All of it is unproven. */
struct proto_frame {
	enum proto_kind kind;
	struct uuid id;          /* account for ENROL_START and HELLO; else the enrolment or session; nil for ERROR */
	uint64_t counter;        /* records only */
};

/* ERR_TRUNCATED (shorter than its kind can be), ERR_TOO_LARGE, ERR_INVALID (no frame of ours, unknown kind, bytes left
 * over), ERR_VERSION (ours, of a version that this build does not speak). */
int proto_frame_peek(const void *data, size_t len, struct proto_frame *out);

/* An ERROR frame in the clear, for what goes wrong before or without a session. CODE is an ERR_ code. Only codes that
 * tell a stranger nothing leave as they are: forbidden and suspended go out as unauthenticated, database, sealed and
 * timeout as unavailable, others as internal. Not-found is said of sessions and enrolments (ids nobody can guess), and
 * must not be given here for an account. */
void proto_error_frame(int code, uint32_t retry_after_s, struct buf *out);
/* The code of an ERROR frame (negative; ERR_INVALID when it is not a well-formed one). A hint, never proof. */
int proto_error_read(const void *data, size_t len, uint32_t *retry_after_s);

#endif
