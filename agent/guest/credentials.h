/* credentials.h - a provider's credentials in the guest: fetched from the server when they are wanted, sealed to a one-time key of this
 * process, and kept nowhere but in its locked memory (AGT-3, CFG-3). */
#ifndef AGENT_GUEST_CREDENTIALS_H
#define AGENT_GUEST_CREDENTIALS_H

#include "agent/guest/guest.h"

/* Fetches those of this guest's image into G->credentials where the plug-in has any: 1 when they are others than before, 0, or an error.
 * What the server has removed is dropped. */
int credentials_fetch(struct guest *g);
/* Gives NEW (text of a JSON object) to the server in place of version REPLACES. LABEL: what of them is no secret. */
int credentials_give(struct guest *g, const struct secret *new, const char *label, int64_t replaces);
void credentials_drop(struct guest *g);

/* "K=V,K=V" as the text of a JSON object with the members in order, held to what the plug-in describes; a comma in a value is written
 * "\,". *LABEL (PROTO_TEXT_MAX + 1 bytes): the first value that is no secret. ERR_INVALID names what is missing or not known. */
int credentials_parse(const struct plugin_description *about, const struct secret *list, struct secret **out, char *label);

#endif
