/* device_state.h - the life of a device (DEV-2): one table of legal transitions, used by every caller. */
#ifndef POLICY_DEVICE_STATE_H
#define POLICY_DEVICE_STATE_H

#define DEVICE_STATES(X) \
	X(NOT_CONFIGURED, "not-configured", "Not configured") \
	X(CONFIGURED, "configured", "Configured") \
	X(PENDING, "encryption-pending", "Encryption pending") \
	X(ENCRYPTING, "encrypting", "Encrypting") \
	X(ENCRYPTED, "encrypted", "Encrypted") \
	X(IN_USE, "in-use", "In-use") \
	X(DECRYPTING, "decrypting", "Decrypting")       /* in place, back to clear data (VOL-7) */ \
	X(ERROR, "encryption-error", "Encryption error") \
	X(UNDETECTED, "undetected", "Undetected") \
	X(MEMBER_MISSING, "device-missing", "Device missing") /* RAID only: a member is Undetected */

#define DEVICE_EVENTS(X) \
	X(CONFIGURE, "configure") \
	X(UNCONFIGURE, "unconfigure") \
	X(ENCRYPT, "encrypt")                   /* a person asks for it */ \
	X(REASSIGN, "be reassigned")            /* to another image */ \
	X(CLONE, "take another device's configuration")        /* and a copy of its key: what is on it was encrypted as that one */ \
	X(CANCEL, "cancel")                     /* before the agent began */ \
	X(ADOPT, "adopt")                       /* the agent takes over a volume that is there already, or goes on with that */ \
	X(START, "start")                       /* the agent begins, or begins again after an interruption */ \
	X(FINISH, "finish") \
	X(FAIL, "fail") \
	X(OPEN, "open") \
	X(CLOSE, "close") \
	X(DECRYPT, "decrypt")                   /* the agent begins to, or begins again */ \
	X(RELEASE, "release")                   /* the volume is the owner's alone now, with his own key or in clear */ \
	X(DESTROY, "lose its keys")             /* for good, on a person's wish (KEY-7) */ \
	X(LOSE, "lose")                         /* no longer in the published inventory */ \
	X(FIND_BARE, "find-bare")               /* back, never configured */ \
	X(FIND_CONFIGURED, "find-configured")   /* back, configured, without a key */ \
	X(FIND_ENCRYPTED, "find-encrypted")     /* back, with a key */ \
	X(LOSE_MEMBER, "lose-member")           /* of an array: one of its members is Undetected */

enum device_state {
#define X(id, name, label) DEVICE_##id,
	DEVICE_STATES(X)
#undef X
	DEVICE_STATE_COUNT
};

enum device_event {
#define X(id, name) DEVICE_EVENT_##id,
	DEVICE_EVENTS(X)
#undef X
	DEVICE_EVENT_COUNT
};

/* The state after EVENT, or ERR_CONFLICT with a text that says why it is not legal. */
int device_next(enum device_state from, enum device_event event);
/* 1 where EVENT is legal: pages offer only what is. */
int device_can(enum device_state from, enum device_event event);
/* Only an Undetected device may be deleted (DEV-7). */
int device_can_delete(enum device_state from);
/* An array that is Not configured or lacks a member (RAID-1): its members are free again. */
int device_can_delete_raid(enum device_state from);
const char *device_state_name(enum device_state s);          /* "in-use": database and protocol */
const char *device_state_label(enum device_state s);         /* "In-use": pages */
const char *device_event_name(enum device_event e);
int device_state_parse(const char *name, enum device_state *out);

#endif
