/* test_sessions.c - the shared table of agent sessions: several processes, floods, and a process that dies inside. */
#include "check.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agentapi/sessions.h"
#include "base/err.h"
#include "base/secret.h"

#define CAPACITY 1024

static struct sessions *make_table(void)
{
	void *p = mmap(NULL, sessions_size(CAPACITY), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return sessions_init(p, CAPACITY);
}

static void end_table(struct sessions *t)
{
	munmap(t, sessions_size(CAPACITY));
}

static struct proto_server_session make_session(enum proto_state state, clock_us expires)
{
	struct proto_server_session s = { .state = state, .id = uuid_new(), .account = uuid_new(), .agent = uuid_new(),
		.expires = expires };

	return s;
}

TEST(handshake_is_taken_once, "AGT-2")
{
	struct sessions *t = make_table();
	struct proto_server_session s = make_session(PROTO_STATE_STARTED, 100), out;
	struct uuid other = uuid_new();

	sessions_put(t, &s, 1);
	CHECK(sessions_lock(t, &s.id, 1) == NULL);
	CHECK_INT(sessions_take_half_open(t, &other, &out), ERR_NOT_FOUND);
	CHECK_INT(sessions_take_half_open(t, &s.id, &out), 0);
	CHECK(uuid_equal(&out.account, &s.account));
	CHECK_INT(sessions_take_half_open(t, &s.id, &out), ERR_REPLAYED);
	out.state = PROTO_STATE_OPEN;
	out.id = s.id;
	sessions_put(t, &out, 2);
	CHECK_INT(sessions_take_half_open(t, &s.id, &out), ERR_REPLAYED);
	end_table(t);
}

TEST(open_session_is_shared_between_processes, "AGT-2,OPS-3")
{
	struct sessions *t = make_table();
	struct proto_server_session s = make_session(PROTO_STATE_OPEN, 100), *found;
	int status = -1;
	pid_t child;

	sessions_put(t, &s, 1);
	child = fork();
	if (child == 0) {
		found = sessions_lock(t, &s.id, 2);
		if (found == NULL)
			_exit(1);
		found->highest = 77;
		sessions_unlock(t, found);
		_exit(0);
	}
	waitpid(child, &status, 0);
	CHECK_INT(status, 0);
	found = sessions_lock(t, &s.id, 3);
	CHECK(found && found->highest == 77);
	if (found)
		sessions_unlock(t, found);
	end_table(t);
}

/* Whoever died with the lock may have left half a key: nobody uses it, and nobody waits for ever. */
TEST(process_that_dies_inside_costs_a_handshake, "AGT-2,OPS-3,SEC-7")
{
	struct sessions *t = make_table();
	struct proto_server_session s = make_session(PROTO_STATE_OPEN, 100);
	int status;
	pid_t child;

	sessions_put(t, &s, 1);
	child = fork();
	if (child == 0) {
		sessions_lock(t, &s.id, 2);
		kill(getpid(), SIGKILL);
	}
	waitpid(child, &status, 0);
	CHECK(WIFSIGNALED(status));
	CHECK(sessions_lock(t, &s.id, 3) == NULL);
	sessions_put(t, &s, 4);
	CHECK(sessions_lock(t, &s.id, 5) != NULL);
	end_table(t);
}

/* The table has room for these open sessions; ten times as many strangers who only say hello take none of it. */
TEST(flood_of_hellos_pushes_out_no_open_session, "SEC-5,AGT-2")
{
	enum { OPEN = 64, FLOOD = CAPACITY * 10 };
	struct sessions *t = make_table();
	struct uuid ids[OPEN];
	int kept = 0;

	for (int i = 0; i < OPEN; i++) {
		struct proto_server_session s = make_session(PROTO_STATE_OPEN, 1000000);

		ids[i] = s.id;
		sessions_put(t, &s, 1);
	}
	for (int i = 0; i < FLOOD; i++) {
		struct proto_server_session s = make_session(PROTO_STATE_STARTED, 1000000);

		sessions_put(t, &s, 2 + i);
	}
	for (int i = 0; i < OPEN; i++) {
		struct proto_server_session *s = sessions_lock(t, &ids[i], 3);

		kept += s != NULL;
		if (s)
			sessions_unlock(t, s);
	}
	CHECK_INT(kept, OPEN);
	end_table(t);
}

TEST(expired_ones_make_room_first, "AGT-2")
{
	struct sessions *t = make_table();

	/* Far more than fit, each expired when the next comes: none pushes out a living one. */
	struct proto_server_session living = make_session(PROTO_STATE_OPEN, 1000000);

	sessions_put(t, &living, 0);
	for (int i = 1; i < CAPACITY * 10; i++) {
		struct proto_server_session s = make_session(PROTO_STATE_OPEN, i);

		sessions_put(t, &s, i);
	}
	CHECK(sessions_lock(t, &living.id, 5) != NULL);
	end_table(t);
}

TEST(enrolment_is_taken_once, "AGT-2,TEN-1")
{
	struct sessions *t = make_table();
	struct proto_server_enrolment e = { .state = PROTO_STATE_STARTED, .id = uuid_new(), .expires = 100 }, out;

	sessions_put_enrolment(t, &e, 1);
	CHECK_INT(sessions_take_enrolment(t, &e.id, &out), 0);
	CHECK(uuid_equal(&out.id, &e.id));
	proto_enrol_wipe(&out);
	CHECK(sessions_take_enrolment(t, &e.id, &out) < 0 || out.state == PROTO_STATE_DEAD);
	end_table(t);
}

TEST_MAIN
