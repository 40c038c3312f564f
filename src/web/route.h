/* route.h - one row per thing that a site answers: URL, method, who may, typed parameters, handler, template.
 *
 * Both consoles and their API come from these rows: GET /users is a page, GET /api/v1/users the same document as JSON. The
 * pipeline (pipeline.c) matches, parses, checks the permission, opens the transaction, calls the handler, commits, renders.
 * A handler never checks a permission and never sees a parameter that its row does not declare.
 *
 *     static const struct route_param user_edit[] = {
 *         { "name", "Name", PARAM_TEXT, PARAM_REQUIRED, 1, 200 },
 *         { "role", "Role", PARAM_ENUM, PARAM_REQUIRED, .choices = role_choices },
 *         PARAM_END
 *     };
 *     const struct route console_routes[] = {
 *         { WEB_GET, "/users/{id}", PERMISSION_USERS_VIEW, "console/user", user_show, route_id },
 *         { WEB_POST, "/users/{id}", PERMISSION_USERS_EDIT, NULL, user_change, user_edit },
 *         ROUTE_END
 *     };
 */
#ifndef WEB_ROUTE_H
#define WEB_ROUTE_H

#include <stdint.h>

#include "identity/permission.h"
#include "web/request.h"

struct call;

#define ROUTE_PARAMS_MAX 64      /* per row */
#define ROUTE_VALUES_MAX 1000    /* of one list parameter */
#define ROUTE_API "/api/v1"      /* before every path: the same as JSON */

/* Values are text in a form, query or path; in a JSON body also numbers and booleans (INT, BOOL) and arrays (lists). Text is
 * UTF-8 without control characters, trimmed at both ends; an empty one counts as not given. */
enum param_type {
	PARAM_TEXT,              /* least to most characters; most 0: 200 */
	PARAM_LINES,             /* the same with line breaks and tabs, not trimmed; most 0: 4000 */
	PARAM_EMAIL,             /* at most 254 bytes */
	PARAM_PASSWORD,          /* not trimmed, never shown again, never logged; most 0: 256 bytes; password_check is the handler's */
	PARAM_SECRET,            /* a PASSWORD with line breaks: private keys in PEM; most 0: 8192 bytes */
	PARAM_CERTIFICATES,      /* certificates in PEM that can be read, and nothing secret beside them; most 0: 65536 bytes. A line each, without spaces around it */
	PARAM_UUID,
	PARAM_INT,               /* least to most; both 0: 0 to 2^53 */
	PARAM_BOOL,              /* "true", "1", "on", "yes" or "false", "0", "off", "no" */
	PARAM_TIME,              /* RFC 3339, or "2026-11-21" or "2026-11-21T09:30", both UTC */
	PARAM_ENUM,              /* one of choices */
	PARAM_UUIDS,             /* may be given several times; least to most values; most 0: ROUTE_VALUES_MAX */
	PARAM_JSON,              /* an object or array; in a form its text. Most bytes of the text: most; 0: 65536 */
	PARAM_TEXTS,             /* as UUIDS, each at most 1000 characters; empty ones are kept, so that parallel lists stay so */
	PARAM_FIELDS             /* all fields whose names begin with this one's and a dot: forms that grow. An object of texts, of lists
	                            of them where a field comes several times; each at most `most` characters; most 0: 20000 */
};

#define PARAM_REQUIRED 1u

struct route_param {
	const char *name;        /* {name} of the path, of the query, or of the form or JSON body */
	const char *label;       /* for people, in error texts; NULL: the name */
	enum param_type type;
	unsigned flags;
	int64_t least, most;
	const char *const *choices;      /* PARAM_ENUM: ends with NULL */
};

#define PARAM_END { NULL, NULL, PARAM_TEXT, 0, 0, 0, NULL }
/* Names of the path that the row's params do not mention are PARAM_UUID, required: {id} needs no row. */

#define ROUTE_NO_TRANSACTION 1u  /* the handler begins and ends its own transactions with call_begin, db_commit */
#define ROUTE_API_ONLY 2u        /* no page: only below /api/v1 */
#define ROUTE_PAGE_ONLY 4u       /* not below /api/v1 (sign-in form and the like) */
#define ROUTE_SUSPENDED_TOO 8u   /* works for users of a suspended tenant */
#define ROUTE_SIGN_IN 16u        /* counts against the rate of sign-ins of an address */
#define ROUTE_FROM_OUTSIDE 64u   /* a POST that comes from another site's page; what it brings is proven otherwise */
#define ROUTE_CODE 128u          /* open to a sign-in that waits for the code of a second factor (sign_step.c) */
#define ROUTE_ENROL 256u         /* open to one that waits for a second factor to be set up */
#define ROUTE_QUIET 512u         /* asked for by a page on its own: it does not keep a session from ending */
#define ROUTE_LOGGED 1024u       /* what its fragment shows changes with an entry of the log, and else by PAGE_OLD_S at most (page_unchanged) */
#define ROUTE_DESTROYS 2048u     /* a POST after which something is lost: the GET of the same path asks first, by name, and says what */
#define ROUTE_COSTLY 4096u       /* open to strangers, and a process, a key or a row for each: an address has so many (rate_ask) */
#define ROUTE_WALL 8192u         /* open to an operator's display (central/wall.c) */
#define ROUTE_WRITES 32u         /* a GET that changes something harmless (marks read): a read-write transaction */

struct route {
	enum web_method method;          /* WEB_GET (HEAD comes with it) or WEB_POST */
	const char *path;                /* "/users/{id}/disable": whole segments in braces */
	enum permission permission;
	const char *page;                /* template; NULL: the handler redirects, downloads, or it is API_ONLY */
	int (*handler)(struct call *c);  /* NULL: the document is empty */
	const struct route_param *params;
	unsigned flags;
	const char *form;                /* POST: path of the GET row whose page is drawn again on an error; NULL: the same path */
	const char *fragment;            /* GET: template for htmx requests and for ?fragment=1; NULL: the page */
	enum permission change;          /* GET: what it takes to change what the page shows; who may not is told whom to ask. PUBLIC: nothing */
};

#define ROUTE_END { 0, NULL, PERMISSION_PUBLIC, NULL, NULL, NULL, 0, NULL, NULL, PERMISSION_PUBLIC }

/* The navigation of a site. Shown to who may open PATH (by its GET row); entries of one group stand together under its name. */
struct route_menu {
	const char *label;               /* English; translated when shown */
	const char *path;
	const char *icon;                /* of assets/icons.list */
	const char *group;               /* NULL: without a heading */
	/* A number beside the entry (what waits for somebody), 0 or an error for none; in the page's transaction. NULL: never. */
	int64_t (*count)(struct call *c);
};

#define ROUTE_MENU_END { NULL, NULL, NULL, NULL, NULL }

/* Defined by src/central/routes.c and src/console/routes.c. */
extern const struct route central_routes[], console_routes[];
extern const struct route_menu central_menu[], console_menu[];

const struct route *route_table(enum web_site site);         /* ends with a NULL path; the agents' site has none */
const struct route_menu *route_menu(enum web_site site);
/* Every row of SITE, in order: for tests, the Roles page and GET /api/v1/routes. */
void web_routes_each(enum web_site site, void (*each)(const struct route *row, void *ctx), void *ctx);

/* What a path leads to. */
struct route_match {
	const struct route *row;         /* NULL: none for this method */
	unsigned allowed;                /* methods that the path has; 0: no such path */
	int api;                         /* below ROUTE_API */
	size_t count;
	struct {
		const char *name;        /* the row's, without braces, not ended by a zero */
		size_t name_len;
		const char *value;       /* the request's, percent-encoded */
		size_t value_len;
	} segments[8];
};

/* PATH must live as long as *OUT. Exact: no trailing slash, no empty segment, no dots. Rows without braces come first. */
void route_match(const struct route *table, enum web_method method, const char *path, struct route_match *out);
/* "" or what is wrong with the table: checked at start-up and by a test. */
const char *route_check(const struct route *table);

#endif
