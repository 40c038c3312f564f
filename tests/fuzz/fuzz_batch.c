/* fuzz_batch.c - batch files of the Configuration Tool, and proxies as they are typed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/common/proxy.h"
#include "agent/tool/batch.h"
#include "base/err.h"
#include "base/mem.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	secret_init();
	return 0;
}

static void try_batch(const char *text, size_t size)
{
	static struct batch batch;
	struct buf mistakes = BUF_INIT;
	int rc = batch_parse(text, size, &batch, &mistakes);

	/* Wrong and said why, or right and complete. */
	if ((rc < 0) != (mistakes.len > 0))
		abort();
	for (int i = 0; rc == 0 && i < batch.count; i++)
		if (!batch.devices[i].want.device[0] || batch.devices[i].want.mount_point[0] != '/' || !batch.devices[i].want.access)
			abort();
	buf_free(&mistakes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_alloc(size + 1);
	struct proxy p;

	memcpy(text, data, size);
	try_batch(text, size);
	if (proxy_parse(text, &p) == 0)
		proxy_clear(&p);
	free(text);
	return 0;
}
