/* bell.c - how many notices one has not read. */
#include "web/bell.h"

#include <stdlib.h>

#include "notice/event.h"
#include "store/notice.h"

json_t *bell_member(struct call *c)
{
	char *visible;
	int64_t count = 0;
	int rc;

	if (uuid_is_nil(&c->user) || c->role == ROLE_NONE || !db_is_open(c->db))
		return json_null();
	visible = notice_event_visible(c->role);
	rc = notice_bind(c->db, &c->user);
	if (rc == 0)
		rc = notice_unread(c->db, visible, &count);
	free(visible);
	if (rc < 0)
		return json_null();
	return json_pack("{s:I, s:b}", "count", (json_int_t)(count > NOTICE_UNREAD_MOST ? NOTICE_UNREAD_MOST : count), "more",
		count > NOTICE_UNREAD_MOST);
}
