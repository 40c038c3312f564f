/* fuzz_keys.c - what keyd reads from its socket: any message, answered with a root key at hand. A request that is refused must
 * leave keyd as it was; none may make it stop. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ipc.h"
#include "base/secret.h"
#include "keys/service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct service service;

static void open_service(void)
{
	static char root_key[] = "/tmp/fuzz-keys-XXXXXX/root", identity[] = "/tmp/fuzz-keys-XXXXXX/identity";
	char folder[] = "/tmp/fuzz-keys-XXXXXX";
	struct provider_options options = { .location = root_key, .may_create = 1 };

	secret_init();
	if (mkdtemp(folder) == NULL)
		abort();
	memcpy(root_key, folder, strlen(folder));
	memcpy(identity, folder, strlen(folder));
	service.keys.provider = &provider_file;
	if (provider_file.open(&options, &service.keys.root) < 0 || signer_create(&service.keys, identity) < 0
		|| signer_read(identity, &service.identity) < 0 || service_open(&service) < 0)
		fatal("%s", err_text());
	unlink(root_key);
	unlink(identity);
	rmdir(folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct service_peer peer = { 0, 1 };
	struct buf in = BUF_INIT, out = BUF_INIT;

	if (service.keys.root == NULL)
		open_service();
	if (size > IPC_MESSAGE_MAX)
		return 0;
	buf_add(&in, data, size);
	service_answer(&service, &peer, &in, &out);
	if (out.len == 0)
		abort();
	buf_free(&in);
	buf_free(&out);
	return 0;
}
