// Loaded before libc in a test's child process: the disk of a store fails when
// the test says so. The control file is four numbers: how many calls are left
// until one fails (0: none will), its errno, whether all after it fail too, and
// whether the keyring's files are meant in place of the database's.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile int *control;

__attribute__((constructor)) static void attach(void) {
	const char *path = getenv("EFFACE_FAULT_CONTROL");
	int fd = path ? open(path, O_RDWR) : -1;
	if (fd < 0)
		return;
	void *m = mmap(NULL, 4 * sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (m != MAP_FAILED)
		control = m;
}

static int ours(int fd) {
	char link[64], path[4096];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path - 1);
	if (n < 0)
		return 0;
	path[n] = 0;
	const char *name = strrchr(path, '/');
	if (!name)
		return 0;
	if (control[3])
		return !strcmp(name, "/keyring.db") || !strcmp(name, "/keyring.db-wal");
	return !strcmp(name, "/efface.db") || !strcmp(name, "/efface.db-wal");
}

static int fails(int fd) {
	if (!control || control[0] == 0 || !ours(fd))
		return 0;
	if (control[0] > 1) {
		__sync_fetch_and_sub(&control[0], 1);
		return 0;
	}
	if (!control[2])
		control[0] = 0;
	errno = control[1];
	return 1;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *b, size_t n) { return fails(fd) ? -1 : NEXT(write)(fd, b, n); }
ssize_t pwrite(int fd, const void *b, size_t n, off_t o) { return fails(fd) ? -1 : NEXT(pwrite)(fd, b, n, o); }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t o) { return fails(fd) ? -1 : NEXT(pwrite64)(fd, b, n, o); }
int fsync(int fd) { return fails(fd) ? -1 : NEXT(fsync)(fd); }
int fdatasync(int fd) { return fails(fd) ? -1 : NEXT(fdatasync)(fd); }
int ftruncate(int fd, off_t n) { return fails(fd) ? -1 : NEXT(ftruncate)(fd, n); }
int ftruncate64(int fd, off64_t n) { return fails(fd) ? -1 : NEXT(ftruncate64)(fd, n); }
