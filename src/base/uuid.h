/* uuid.h - identifiers: UUID version 7 (RFC 9562), so that ids made later sort later. */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdint.h>

#define UUID_TEXT_SIZE 37   /* 36 characters and the zero byte */

struct uuid {
	uint8_t bytes[16];
};

struct uuid uuid_new(void);                                  /* version 7, now; greater than all that this process made */
int uuid_parse(const char *text, struct uuid *out);          /* 36 characters, either case; else ERR_INVALID */
void uuid_text(const struct uuid *id, char out[static UUID_TEXT_SIZE]);
int uuid_equal(const struct uuid *a, const struct uuid *b);
int uuid_is_nil(const struct uuid *id);

#endif
