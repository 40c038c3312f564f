/* cause.h - what keeps a root key sealed, for programs. health/cause.h has the words for people. */
#ifndef KEYS_CAUSE_H
#define KEYS_CAUSE_H

/* Their places are part of messages: new ones come at the end. */
enum keys_cause {
	KEYS_CAUSE_NONE,
	KEYS_CAUSE_FILE,             /* its file is missing, or cannot be used */
	KEYS_CAUSE_PASSPHRASE,       /* nobody has told the passphrase */
	KEYS_CAUSE_PIN,              /* nobody has told the token's PIN */
	KEYS_CAUSE_PIN_REFUSED,      /* the PIN is wrong, or may be: none is tried until somebody tells one */
	KEYS_CAUSE_PIN_LOCKED,
	KEYS_CAUSE_TOKEN,            /* away, or it does not do what is wanted of it */
	KEYS_CAUSE_SERVER,           /* likewise */
	KEYS_CAUSE_OTHER_KEY,        /* where it was there is another one */
	KEYS_CAUSE_COUNT
};

#endif
