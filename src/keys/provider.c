/* provider.c - the table of providers. */
#include "keys/provider.h"

#include <string.h>

#include "base/err.h"

static const struct provider *const providers[] = { &provider_file, &provider_passphrase, &provider_pkcs11, &provider_kmip };

int provider_check(const struct uuid *wanted, const struct uuid *found)
{
	char in_use[UUID_TEXT_SIZE], other[UUID_TEXT_SIZE];

	if (uuid_is_nil(wanted) || uuid_equal(wanted, found))
		return 0;
	uuid_text(wanted, in_use);
	uuid_text(found, other);
	return err_set(ERR_CONFLICT, "the root key that is there is %s, the one in use is %s", other, in_use);
}

int provider_find(const char *name, const struct provider **out)
{
	struct buf names = BUF_INIT;

	for (size_t i = 0; i < sizeof providers / sizeof *providers; i++) {
		if (strcmp(providers[i]->name, name) == 0) {
			*out = providers[i];
			buf_free(&names);
			return 0;
		}
		buf_printf(&names, "%s%s", i ? ", " : "", providers[i]->name);
	}
	err_set(ERR_NOT_FOUND, "there is no provider \"%s\" of root keys; there are: %s", name, buf_str(&names));
	buf_free(&names);
	return ERR_NOT_FOUND;
}
