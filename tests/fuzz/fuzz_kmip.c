/* fuzz_kmip.c - what a KMIP server answers: any bytes. What passes is read by every reader of payloads. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "keys/kmip_message.h"
#include "keys/ttlv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const enum kmip_operation operations[] = { KMIP_CREATE, KMIP_LOCATE, KMIP_GET, KMIP_QUERY, KMIP_DISCOVER, KMIP_ENCRYPT };

static void read_all(struct wire_view payload)
{
	char id[KMIP_ID_MAX + 1], ids[KMIP_IDS_MAX][KMIP_ID_MAX + 1], vendor[KMIP_VENDOR_MAX + 1];
	struct secret *key = NULL;
	struct kmip_version v;
	struct wire_view some;
	size_t count = 0;
	int can;

	if (kmip_get_id(payload, id) == 0 && (*id == '\0' || strlen(id) > KMIP_ID_MAX))
		abort();
	if (kmip_get_ids(payload, ids, &count) == 0 && count > KMIP_IDS_MAX)
		abort();
	if (kmip_get_version(payload, &v) == 0 && v.major == 0)
		abort();
	kmip_get_query(payload, vendor, &can);
	if (kmip_get_key(payload, &key) == 0)
		secret_free(key);
	kmip_get_data(payload, &some);
	if (kmip_get_tag(payload, &some) == 0 && some.len != 16)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int once;
	struct buf in = BUF_INIT;
	struct wire_view payload;

	if (!once++)
		secret_init();
	buf_add(&in, data, size);
	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
		if (kmip_answer(&in, operations[i], &payload) == 0)
			read_all(payload);
	buf_free(&in);
	return 0;
}
