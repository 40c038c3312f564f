/* fusefile.c - see fusefile.h. */
#define FUSE_USE_VERSION 312

#include "agent/volume/fusefile.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/falloc.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "agent/volume/harden.h"
#include "agent/volume/ioqueue.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

#define FILE_INODE 2
#define WRITE_HEADERS (sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in))
#define FOREVER 1e9               /* seconds: neither name nor size of the file ever changes */
#define REQUESTS_MAX 256          /* under way at once, as many as a deep device queue sends */
#define WAKE_SIGNAL SIGUSR1
#define FRONTS_MOST 4             /* each is woken up by every request */
#define COMPLAINTS_MAX 100        /* a broken disk must not fill the log */

/* The answer to OPEN as the kernel defines it (struct fuse_open_out of <linux/fuse.h>): this libfuse has no name yet for the
 * flag that lets direct writes run in parallel. */
struct open_answer {
	uint64_t handle;
	uint32_t flags;
	uint32_t padding;
};
#define OPEN_DIRECT_IO (1u << 0)
#define OPEN_PARALLEL_DIRECT_WRITES (1u << 6)

struct worker {
	struct fusefile *file;
	struct stripe_lane *lane;
	pthread_t thread;
	int started;
};

/* Of a disk: who has one takes requests, those that the queue takes without waiting for the disk. With any other request the thread
 * steps aside first, and another takes its place. */
struct front {
	struct ioqueue *queue;
	int taken;
};

struct fusefile {
	struct front fronts[FRONTS_MOST];
	int fronts_count;             /* 0: each thread takes a request and waits for what is below */
	sem_t turns;                  /* fronts that are not taken */
	pthread_mutex_t fronts_lock;
	struct stripe *stripe;
	const char *name;
	struct fuse_session *session;
	atomic_int stopping, dropping, serving, over, complaints;
	void (*_Atomic ended)(void);
	sem_t begun;                  /* posted by each thread */
	int count;
	struct worker workers[];
};

/* Of the thread that serves a request. */
static __thread struct stripe_lane *lane;
static __thread struct front *front;

static struct fusefile *file_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static int error_number(struct fusefile *f, int rc)
{
	if (rc == ERR_UNSUPPORTED)
		return EOPNOTSUPP;
	if (rc == ERR_FORBIDDEN)
		return EROFS;
	if (rc == ERR_TOO_LARGE)
		return ENOSPC;
	if (atomic_fetch_add(&f->complaints, 1) < COMPLAINTS_MAX)
		log_error("volume I/O failed", "volume", f->name, "reason", err_text(), NULL);
	return EIO;
}

static void fill(struct fusefile *f, fuse_ino_t inode, struct stat *st)
{
	memset(st, 0, sizeof *st);
	st->st_ino = inode;
	st->st_nlink = 1;
	st->st_blksize = 4096;
	if (inode == FUSE_ROOT_ID) {
		st->st_mode = S_IFDIR | 0700;
	} else {
		st->st_mode = S_IFREG | 0600;
		st->st_size = (off_t)stripe_size(f->stripe);
		st->st_blocks = (blkcnt_t)(stripe_size(f->stripe) / 512);
	}
}

static void on_init(void *userdata, struct fuse_conn_info *conn)
{
	conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE | FUSE_CAP_AUTO_INVAL_DATA
		| FUSE_CAP_WRITEBACK_CACHE);
	conn->want |= conn->capable & FUSE_CAP_ASYNC_DIO;
	conn->max_write = PLAIN_MAX;
	conn->max_read = PLAIN_MAX;
	conn->max_background = REQUESTS_MAX;
	conn->congestion_threshold = REQUESTS_MAX;
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fusefile *f = file_of(req);
	struct fuse_entry_param e = { .ino = FILE_INODE, .attr_timeout = FOREVER, .entry_timeout = FOREVER };

	if (parent != FUSE_ROOT_ID || strcmp(name, f->name) != 0) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	fill(f, FILE_INODE, &e.attr);
	fuse_reply_entry(req, &e);
}

static void on_getattr(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
	struct stat st;

	fill(file_of(req), inode, &st);
	fuse_reply_attr(req, &st, FOREVER);
}

static void on_open(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
	struct open_answer answer = { .flags = OPEN_DIRECT_IO | OPEN_PARALLEL_DIRECT_WRITES };

	if (inode != FILE_INODE)
		fuse_reply_err(req, EISDIR);
	else
		fuse_reply_buf(req, (const char *)&answer, sizeof answer);
}

static void answer(void *req, int rc, const unsigned char *data, size_t len)
{
	if (rc < 0)
		fuse_reply_err(req, error_number(file_of(req), rc));
	else if (data)
		fuse_reply_buf(req, (const char *)data, len);
	else
		fuse_reply_write(req, len);
}

/* A turn; without one when a signal came. */
static void step_forward(struct fusefile *f)
{
	if (sem_wait(&f->turns) < 0)
		return;
	pthread_mutex_lock(&f->fronts_lock);
	for (int i = 0; front == NULL && i < f->fronts_count; i++)
		if (!f->fronts[i].taken)
			front = &f->fronts[i];
	front->taken = 1;
	pthread_mutex_unlock(&f->fronts_lock);
}

/* Before whatever takes long: what is under way is done first, as it is this thread that may write. */
static void step_aside(struct fusefile *f)
{
	if (front == NULL)
		return;
	ioqueue_drain(front->queue);
	pthread_mutex_lock(&f->fronts_lock);
	front->taken = 0;
	front = NULL;
	pthread_mutex_unlock(&f->fronts_lock);
	sem_post(&f->turns);
}

static void on_read(fuse_req_t req, fuse_ino_t inode, size_t size, off_t at, struct fuse_file_info *fi)
{
	const unsigned char *data = NULL;
	ssize_t n;

	if (front && ioqueue_read(front->queue, (uint64_t)at, size, req))
		return;
	step_aside(file_of(req));
	n = stripe_read(lane, (uint64_t)at, size, &data);
	answer(req, n < 0 ? (int)n : 0, data ? data : stripe_lane_data(lane), n < 0 ? 0 : (size_t)n);
}

static void on_write(fuse_req_t req, fuse_ino_t inode, const char *data, size_t size, off_t at, struct fuse_file_info *fi)
{
	struct fusefile *f = file_of(req);
	/* DATA lies in this thread's lane, where it was received. */
	unsigned char *received = stripe_lane_data(lane) + (data - (const char *)stripe_lane_data(lane));
	int rc = 0;

	if (!atomic_load_explicit(&f->dropping, memory_order_relaxed)) {
		if (front && ioqueue_write(front->queue, (uint64_t)at, received, size, req))
			return;
		step_aside(f);
		rc = stripe_write(lane, (uint64_t)at, received, size);
	}
	answer(req, rc, NULL, size);
}

static void on_fsync(fuse_req_t req, fuse_ino_t inode, int datasync, struct fuse_file_info *fi)
{
	struct fusefile *f = file_of(req);
	int rc;

	step_aside(f);
	rc = stripe_flush(f->stripe);
	fuse_reply_err(req, rc < 0 ? error_number(f, rc) : 0);
}

/* Closing promises nothing: durability is asked for by fsync. */
static void on_flush(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
	fuse_reply_err(req, 0);
}

/* Punching a hole is how a loop device discards. Ranges to be zeroed are refused: the kernel then writes the zeros, which
 * have to be enciphered like anything else. */
static void on_fallocate(fuse_req_t req, fuse_ino_t inode, int mode, off_t at, off_t len, struct fuse_file_info *fi)
{
	struct fusefile *f = file_of(req);
	int rc = ERR_UNSUPPORTED;

	step_aside(f);
	if (mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))
		rc = stripe_discard(f->stripe, (uint64_t)at, (uint64_t)len);
	fuse_reply_err(req, rc < 0 ? error_number(f, rc) : 0);
}

static void on_statfs(fuse_req_t req, fuse_ino_t inode)
{
	struct fusefile *f = file_of(req);
	/* A loop device takes its discard granularity from the block size. */
	struct statvfs st = { .f_bsize = 4096, .f_frsize = 4096, .f_namemax = 255 };

	st.f_blocks = stripe_size(f->stripe) / 4096;
	fuse_reply_statfs(req, &st);
}

static const struct fuse_lowlevel_ops operations = {
	.init = on_init,
	.lookup = on_lookup,
	.getattr = on_getattr,
	.open = on_open,
	.read = on_read,
	.write = on_write,
	.fsync = on_fsync,
	.flush = on_flush,
	.fallocate = on_fallocate,
	.statfs = on_statfs,
};

/* Without anybody to serve it the connection must break, or whoever opens the file would wait forever. */
static void break_connection(struct fusefile *f)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null >= 0) {
		dup3(null, fuse_session_fd(f->session), O_CLOEXEC);
		close(null);
	}
}

/* Threads end by themselves when the kernel has let go of the file system. */
static void leave(struct fusefile *f)
{
	void (*ended)(void);

	if (atomic_fetch_sub(&f->serving, 1) == 1 && !atomic_load(&f->stopping))
		break_connection(f);
	atomic_store(&f->over, 1);
	ended = atomic_load(&f->ended);
	if (ended && !atomic_load(&f->stopping))
		ended();
}

enum received { CLOSED, NOTHING, REQUEST };

/* CLOSED: the kernel has let go. Read here because libfuse's own reading complains on standard error, the terminal of whoever closes a volume, when the last
 * request goes with the connection while it is copied (ECONNABORTED), which is how any closing may end. */
static enum received receive(struct fusefile *f, struct fuse_buf *buf)
{
	ssize_t n = read(fuse_session_fd(f->session), buf->mem, WRITE_HEADERS + PLAIN_MAX);

	if (n > 0) {
		buf->size = (size_t)n;
		return REQUEST;
	}
	/* ENOENT: taken back meanwhile. */
	if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT))
		return NOTHING;
	if (n < 0 && errno != ENODEV && errno != ECONNABORTED)
		log_error("reading requests", "volume", f->name, "reason", strerror(errno), NULL);
	fuse_session_exit(f->session);
	return CLOSED;
}

/* Takes what there is; 0 when the kernel has let go. */
static int take_requests(struct fusefile *f, struct fuse_buf *buf)
{
	do {
		enum received what = receive(f, buf);

		if (what != REQUEST)
			return what == NOTHING;
		fuse_session_process_buf(f->session, buf);
	} while (front && !ioqueue_is_full(front->queue));
	return 1;
}

/* One look at what the kernel wants and what the disk has answered. */
static int serve_front(struct fusefile *f, struct fuse_buf *buf)
{
	struct ioqueue *q = front->queue;
	struct pollfd fds[] = { { .fd = ioqueue_event(q), .events = POLLIN },
		{ .fd = fuse_session_fd(f->session), .events = ioqueue_is_full(q) ? 0 : POLLIN } };
	int more = 1;

	if (poll(fds, ARRAY_LEN(fds), -1) < 0)
		return 1;
	if (fds[0].revents)
		ioqueue_reap(q);
	if (fds[1].revents && !ioqueue_is_full(q))
		more = take_requests(f, buf);
	if (front)
		ioqueue_submit(front->queue);
	return more;
}

static int serve_once(struct fusefile *f, struct fuse_buf *buf)
{
	if (f->fronts_count == 0)
		return take_requests(f, buf);
	if (front == NULL)
		step_forward(f);
	return front ? serve_front(f, buf) : 1;
}

static void *serve(void *data)
{
	struct worker *w = data;
	struct fusefile *f = w->file;
	/* Received so that what is to be written begins on a page: the kernel copies page by page, and disks want it, too. */
	struct fuse_buf buf = { .mem = stripe_lane_data(w->lane) - WRITE_HEADERS };
	sigset_t wake;

	pthread_setname_np(pthread_self(), "keyward-io");
	harden_drop_capabilities();
	lane = w->lane;
	sigemptyset(&wake);
	sigaddset(&wake, WAKE_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &wake, NULL);
	sem_post(&f->begun);
	while (!atomic_load_explicit(&f->stopping, memory_order_relaxed) && serve_once(f, &buf))
		;
	step_aside(f);
	leave(f);
	return NULL;
}

static void do_nothing(int signal)
{
}

/* All of them are under way when this returns: what a thread does to begin (give up capabilities, and what the C library does before
 * it is ours) takes more than its process may do later on. */
static int start_threads(struct fusefile *f)
{
	struct sigaction wake = { .sa_handler = do_nothing };

	/* Without SA_RESTART, so that it ends a thread's wait for requests. */
	sigaction(WAKE_SIGNAL, &wake, NULL);
	for (int i = 0; i < f->count; i++) {
		atomic_fetch_add(&f->serving, 1);
		if (pthread_create(&f->workers[i].thread, NULL, serve, &f->workers[i]) != 0)
			return err_set(ERR_IO, "no thread");
		f->workers[i].started = 1;
	}
	for (int i = 0; i < f->count; i++)
		while (sem_wait(&f->begun) < 0)
			;
	return 0;
}

static int make_lanes(struct fusefile *f)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < f->count; i++) {
		f->workers[i].file = f;
		rc = stripe_lane_new(f->stripe, &f->workers[i].lane);
	}
	return rc;
}

/* Without asynchronous I/O of the kernel a disk is served like a file. */
static int make_fronts(struct fusefile *f)
{
	int wanted = (int)sysconf(_SC_NPROCESSORS_ONLN), fd = fuse_session_fd(f->session);

	if (wanted > FRONTS_MOST)
		wanted = FRONTS_MOST;
	for (; f->fronts_count < wanted; f->fronts_count++)
		if (ioqueue_new(f->stripe, answer, &f->fronts[f->fronts_count].queue) < 0)
			break;
	if (f->fronts_count < wanted)
		log_warning("no asynchronous I/O", "volume", f->name, "reason", err_text(), NULL);
	for (int i = 0; i < f->fronts_count; i++)
		sem_post(&f->turns);
	if (f->fronts_count == 0 || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0)
		return 0;
	return err_set(ERR_IO, "FUSE session: %s", strerror(errno));
}

/* Mounts by the system call itself: libfuse's own way would need its helper to unmount again. */
static int mount_on(struct fusefile *f, const char *point)
{
	char options[128], fd_path[32];
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return err_set(ERR_UNSUPPORTED, "/dev/fuse: %s", strerror(errno));
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,max_read=%d", fd, PLAIN_MAX);
	snprintf(fd_path, sizeof fd_path, "/dev/fd/%d", fd);
	if (mount("keyward-volume", point, "fuse.keyward", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0) {
		close(fd);
		return err_set(ERR_IO, "mounting FUSE on %s: %s", point, strerror(errno));
	}
	if (fuse_session_mount(f->session, fd_path) == 0)
		return 0;
	umount2(point, MNT_DETACH);
	close(fd);
	return err_set(ERR_IO, "FUSE session");
}

int fusefile_start(struct stripe *stripe, const char *name, const char *point, int threads, struct fusefile **out)
{
	/* libfuse wants to hear what the mount was told. */
	char program[] = "keyward-volume", dash[] = "-o", max_read[32];
	char *argv[] = { program, dash, max_read, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	struct fusefile *f = mem_alloc(sizeof *f + (size_t)threads * sizeof f->workers[0]);
	int rc;

	snprintf(max_read, sizeof max_read, "max_read=%d", PLAIN_MAX);
	f->stripe = stripe;
	f->name = name;
	f->count = threads;
	sem_init(&f->begun, 0, 0);
	sem_init(&f->turns, 0, 0);
	pthread_mutex_init(&f->fronts_lock, NULL);
	f->session = fuse_session_new(&args, &operations, sizeof operations, f);
	fuse_opt_free_args(&args);
	rc = f->session ? mount_on(f, point) : err_set(ERR_IO, "FUSE session");
	if (rc == 0)
		rc = make_lanes(f);
	if (rc == 0 && stripe_is_device(stripe))
		rc = make_fronts(f);
	if (rc == 0)
		rc = start_threads(f);
	if (rc < 0) {
		fusefile_stop(f);
		return rc;
	}
	*out = f;
	return 0;
}

void fusefile_drop_writes(struct fusefile *f, int on)
{
	atomic_store(&f->dropping, on);
}

void fusefile_on_end(struct fusefile *f, void (*ended)(void))
{
	atomic_store(&f->ended, ended);
	if (atomic_load(&f->over))
		ended();
}

/* A signal may come just before a thread starts to wait; so it is sent until the thread has ended. */
static void stop_thread(pthread_t thread)
{
	struct timespec until;

	do {
		pthread_kill(thread, WAKE_SIGNAL);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 10 * 1000 * 1000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
	} while (pthread_timedjoin_np(thread, NULL, &until) != 0);
}

void fusefile_stop(struct fusefile *f)
{
	atomic_store(&f->stopping, 1);
	for (int i = 0; i < f->count; i++) {
		if (f->workers[i].started)
			stop_thread(f->workers[i].thread);
		stripe_lane_free(f->workers[i].lane);
	}
	if (f->session)
		fuse_session_destroy(f->session);
	for (int i = 0; i < FRONTS_MOST; i++)
		ioqueue_free(f->fronts[i].queue);
	pthread_mutex_destroy(&f->fronts_lock);
	sem_destroy(&f->turns);
	sem_destroy(&f->begun);
	free(f);
}
