/* provider.c - the table of providers. */
#include "agent/provider/provider.h"

#include <string.h>

#include "base/err.h"

const struct provider *const providers[] = { &provider_native, NULL };

int provider_find(const char *name, const struct provider **out)
{
	struct buf names = BUF_INIT;

	for (size_t i = 0; providers[i]; i++) {
		if (strcmp(providers[i]->name, name) == 0) {
			*out = providers[i];
			buf_free(&names);
			return 0;
		}
		buf_printf(&names, "%s%s", i ? ", " : "", providers[i]->name);
	}
	err_set(ERR_NOT_FOUND, "there is no provider plug-in \"%s\"; there are: %s", name, buf_str(&names));
	buf_free(&names);
	return ERR_NOT_FOUND;
}
