/* cause.c - the table. */
#include "health/cause.h"

#include <string.h>

#include "base/mem.h"

static const struct health_cause causes[KEYS_CAUSE_COUNT] = {
	[KEYS_CAUSE_NONE] = { "none", "no root key", "Look into keyd.log on the server: it says what keeps it so." },
	[KEYS_CAUSE_FILE] = { "file", "root key file missing", "Bring the root key's file back, or mend it: the key service finds it automatically." },
	[KEYS_CAUSE_PASSPHRASE] = { "passphrase", "passphrase needed", "Tell it its passphrase: keyward unseal on the server." },
	[KEYS_CAUSE_PIN] = { "pin", "PIN needed", "Tell it its token's PIN: keyward unseal on the server." },
	[KEYS_CAUSE_PIN_REFUSED] = { "pin-refused", "PIN refused",
		"No PIN is tried any more, so that the token does not lock it: tell it the right one (keyward unseal on the server)." },
	[KEYS_CAUSE_PIN_LOCKED] = { "pin-locked", "PIN locked",
		"The token takes no PIN until its security officer has set one anew; then keyward unseal on the server." },
	[KEYS_CAUSE_TOKEN] = { "token", "token away", "Bring its token back: the key service finds it automatically." },
	[KEYS_CAUSE_SERVER] = { "server", "key server away", "Bring its key server back: the key service finds it automatically." },
	[KEYS_CAUSE_OTHER_KEY] = { "other-key", "another root key",
		"Another root key is where the one in use was: bring that one back, and the key service finds it automatically." },
};

const struct health_cause *health_cause(enum keys_cause cause)
{
	return &causes[(size_t)cause < ARRAY_LEN(causes) ? cause : KEYS_CAUSE_NONE];
}

const struct health_cause *health_cause_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(causes); i++)
		if (strcmp(causes[i].name, name) == 0)
			return &causes[i];
	return &causes[KEYS_CAUSE_NONE];
}
