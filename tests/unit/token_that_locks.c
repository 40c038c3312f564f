/* token_that_locks.c - a PKCS #11 module for tests: SoftHSM's own, but after three wrong PINs the PIN is locked, and the token's flags say so, as
 * with hardware. It keeps in LOCKING_FOLDER: tries, a byte for each; wrong, a byte for each wrong one since the last right one (remove it, and the
 * PIN is reset). Where a file "silent" is, the flags say nothing and a wrong PIN is a general failure. */
#include <dlfcn.h>
#include <fcntl.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL "/usr/lib/softhsm/libsofthsm2.so"
#define MOST 3

static CK_FUNCTION_LIST ours, *real;

static const char *in_folder(const char *name)
{
	static char path[256];

	snprintf(path, sizeof path, "%s/%s", getenv("LOCKING_FOLDER"), name);
	return path;
}

static int count(const char *name)
{
	struct stat st;

	return stat(in_folder(name), &st) == 0 ? (int)st.st_size : 0;
}

static void add(const char *name)
{
	int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, "x", 1) != 1)
		abort();
	close(fd);
}

static int is_silent(void)
{
	return access(in_folder("silent"), F_OK) == 0;
}

static CK_RV log_in(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG len)
{
	CK_RV rv = CKR_PIN_LOCKED;

	add("tries");
	if (count("wrong") < MOST)
		rv = real->C_Login(session, user, pin, len);
	if (rv == CKR_OK)
		unlink(in_folder("wrong"));
	if (rv == CKR_PIN_INCORRECT)
		add("wrong");
	return rv == CKR_PIN_INCORRECT && is_silent() ? CKR_GENERAL_ERROR : rv;
}

static CK_RV token_info(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info)
{
	CK_RV rv = real->C_GetTokenInfo(slot, info);
	int wrong = count("wrong");

	if (rv != CKR_OK)
		return rv;
	info->flags &= ~(CK_FLAGS)(CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED);
	if (!is_silent())
		info->flags |= (wrong ? CKF_USER_PIN_COUNT_LOW : 0) | (wrong == MOST - 1 ? CKF_USER_PIN_FINAL_TRY : 0)
			| (wrong >= MOST ? CKF_USER_PIN_LOCKED : 0);
	return CKR_OK;
}

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR out)
{
	CK_RV (*list)(CK_FUNCTION_LIST_PTR_PTR);
	void *module = dlopen(REAL, RTLD_NOW | RTLD_LOCAL);
	CK_RV rv;

	*(void **)&list = module ? dlsym(module, "C_GetFunctionList") : NULL;
	rv = list ? list(&real) : CKR_GENERAL_ERROR;
	if (rv != CKR_OK)
		return rv;
	ours = *real;
	ours.C_Login = log_in;
	ours.C_GetTokenInfo = token_info;
	*out = &ours;
	return CKR_OK;
}
