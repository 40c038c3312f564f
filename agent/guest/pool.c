/* pool.c - see pool.h. */
#include "agent/guest/pool.h"

#include <stdio.h>
#include <string.h>

#include "agent/guest/credentials.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"

int pool_can_attach(const struct guest *g)
{
	return g->provider->about.attach;
}

int pool_is_given(const struct guest *g, const char *id)
{
	for (int i = 0; i < g->devices_count; i++)
		if (strcmp(g->devices[i].given, id) == 0)
			return 1;
	return 0;
}

static int ask(struct guest *g, enum plugin_question q, const char *id, void *answer)
{
	struct provider_context ctx = guest_provider_context(g);
	json_t *args = json_object();

	json_set_string(args, "device", id);
	return provider_ask(g->provider, &ctx, q, args, answer);
}

/* Credentials that were replaced while this guest held the old ones are fetched, and it is tried once more. */
static int ask_with_credentials(struct guest *g, enum plugin_question q, const char *id, void *answer)
{
	int rc;

	if (g->credentials == NULL && credentials_fetch(g) < 0)
		log_warning("the provider's credentials cannot be fetched", "reason", err_text(), NULL);
	rc = ask(g, q, id, answer);
	if ((rc == ERR_UNAUTHENTICATED || rc == ERR_FORBIDDEN) && credentials_fetch(g) > 0)
		rc = ask(g, q, id, answer);
	return rc;
}

static int attach(struct guest *g, struct device *d, const char *id)
{
	struct plugin_attached where;
	int rc;

	if (!pool_can_attach(g))
		return err_set(ERR_UNSUPPORTED, "%s is not attached, and the provider plug-in %s cannot attach it", id, g->provider->name);
	log_info("attaching a device", "device", d->id, "given", id, NULL);
	rc = ask_with_credentials(g, PLUGIN_ATTACH, id, &where);
	if (rc < 0)
		return rc;
	snprintf(d->path, sizeof d->path, "%s", where.path);
	d->attached = 1;
	log_info("device attached", "device", d->id, "given", id, "path", d->path, NULL);
	return 0;
}

int pool_place(struct guest *g, struct device *d, const char *given)
{
	const char *id = *given ? given : d->id, *before = d->given[0] ? d->given : d->id;
	const struct proto_device *here;
	int rc = 0;

	if (d->attached && strcmp(id, before) != 0)
		pool_return(g, d);
	here = guest_found(g, id);
	if (here)
		snprintf(d->path, sizeof d->path, "%s", here->path);
	else
		rc = attach(g, d, id);
	if (rc == 0)
		snprintf(d->given, sizeof d->given, "%s", strcmp(id, d->id) != 0 ? id : "");
	return rc;
}

/* Until the next look it would seem to be here. */
static void forget_found(struct guest *g, const char *id)
{
	struct proto_inventory *f = g->found;

	for (int i = 0; i < f->devices_count; i++)
		if (strcmp(f->devices[i].id, id) == 0) {
			f->devices_count--;
			memmove(&f->devices[i], &f->devices[i + 1], (size_t)(f->devices_count - i) * sizeof f->devices[0]);
			return;
		}
}

void pool_return(struct guest *g, struct device *d)
{
	const char *id = d->given[0] ? d->given : d->id;
	struct plugin_nothing nothing;

	if (!d->attached) {
		d->given[0] = '\0';
		return;
	}
	if (ask_with_credentials(g, PLUGIN_DETACH, id, &nothing) < 0)
		log_error("a device cannot be detached; do so at the provider", "device", d->id, "given", id, "reason", err_text(), NULL);
	else
		log_info("device detached", "device", d->id, "given", id, NULL);
	forget_found(g, id);
	d->attached = 0;
	d->given[0] = '\0';
	d->path[0] = '\0';
}
