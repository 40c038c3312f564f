/* proposal.h - what a guest would have done to a device of its own (CFG-2): proposed by its agent, done at once or kept for a person,
 * as the tenant has chosen. */
#ifndef STORE_PROPOSAL_H
#define STORE_PROPOSAL_H

#include "store/device.h"

/* value of tenant.settings.guest_proposals, what pages call it, what it means */
#define PROPOSAL_RULES(X) \
	X(REFUSE, "refuse", "Refuse", "Machines cannot propose anything. Devices are configured here alone.") \
	X(ASK, "ask", "Ask a person", "Each proposal waits on the device's page until somebody accepts or rejects it.") \
	X(EMPTY, "empty", "Encrypt empty devices", "Done at once where a device is empty, which destroys nothing. Others wait for a person.") \
	X(CONFIRMED, "confirmed", "Encrypt, also over what was confirmed", \
		"Done at once, also where a device holds something that the batch file gives up by the device's name.")

enum proposal_rule {
#define X(id, name, title, text) PROPOSAL_##id,
	PROPOSAL_RULES(X)
#undef X
	PROPOSAL_RULE_COUNT
};

/* The present choice; PROPOSAL_EMPTY without one. */
int proposal_rule(struct db *db, enum proposal_rule *out);
int proposal_rule_set(struct db *db, enum proposal_rule rule);

/* Strings are borrowed. */
struct proposal {
	const char *name, *os, *filesystem, *mount_point, *access, *mode;        /* name "": as it is */
	int64_t key_bits;
	int overwrite;
};

enum proposal_outcome { PROPOSAL_APPLIED, PROPOSAL_UNCHANGED, PROPOSAL_WAITING };

/* Agent: for a device of INSTANCE. A device that is as proposed, or on its way there, is PROPOSAL_UNCHANGED; encryption that failed
 * is asked for again. ERR_FORBIDDEN: refused by the tenant's choice; ERR_CONFLICT: configured otherwise, in use, holds something that
 * was not given up; ERR_INVALID. Can be repeated. */
int proposal_make(struct db *db, const struct uuid *instance, const struct device *d, const struct proposal *p,
	enum proposal_outcome *out);

/* Console: {device, name, os, filesystem, mount_point, access, mode, key_bits, overwrite, proposed}; ERR_NOT_FOUND. */
int proposal_get(struct db *db, const struct uuid *device, json_t **out);
/* Configures the device as proposed and asks for its encryption. OVERWRITE: a person confirmed that what is on it may go. */
int proposal_accept(struct db *db, const struct uuid *device, int overwrite);
int proposal_reject(struct db *db, const struct uuid *device);

#endif
