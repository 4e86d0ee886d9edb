/* Preloaded into a process: files keep only what they held when they were last synced.
 *
 * fsync and fdatasync copy the file as it is at the call into the folder POWER_SHADOW, under its inode; of a folder
 * they write down the names and inodes. Nothing else is promised, so nothing else is kept. The copy is complete
 * before the call returns, and takes its place by a rename, so that a kill leaves the old copy or the new.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static int write_all(int to, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t done = write(to, bytes, count);
        if (done <= 0) return -1;
        bytes += done;
        count -= (size_t)done;
    }
    return 0;
}

static int copy_file(int from, int to) {
    static char buffer[1 << 16];
    off_t at = 0;
    for (;;) {
        ssize_t got = pread(from, buffer, sizeof buffer, at);
        if (got < 0) return -1;
        if (got == 0) return 0;
        if (write_all(to, buffer, (size_t)got) != 0) return -1;
        at += got;
    }
}

static int copy_names(int folder, int to) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", folder);
    DIR *entries = opendir(path);
    if (entries == NULL) return -1;
    int result = 0;
    for (struct dirent *e = readdir(entries); e != NULL && result == 0; e = readdir(entries)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        char line[512];
        int length = snprintf(line, sizeof line, "%c %llu %s\n", e->d_type == DT_DIR ? 'd' : 'f',
                              (unsigned long long)e->d_ino, e->d_name);
        result = write_all(to, line, (size_t)length);
    }
    closedir(entries);
    return result;
}

static int keep(int fd) {
    const char *shadow = getenv("POWER_SHADOW");
    struct stat about;
    if (shadow == NULL || fstat(fd, &about) != 0) return -1;
    int is_folder = S_ISDIR(about.st_mode);
    if (!is_folder && !S_ISREG(about.st_mode)) return 0;
    char kept[4096], temporary[4200], path[64];
    snprintf(kept, sizeof kept, "%s/%c%llu", shadow, is_folder ? 'd' : 'f', (unsigned long long)about.st_ino);
    snprintf(temporary, sizeof temporary, "%s.tmp", kept);
    pthread_mutex_lock(&turn);
    int result = -1;
    int to = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (to >= 0) {
        /* The descriptor may be for writing only. */
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        int from = is_folder ? dup(fd) : open(path, O_RDONLY);
        if (from >= 0) {
            result = is_folder ? copy_names(from, to) : copy_file(from, to);
            close(from);
        }
        close(to);
        if (result == 0) result = rename(temporary, kept);
    }
    pthread_mutex_unlock(&turn);
    return result;
}

static int synced(int fd) {
    if (keep(fd) == 0) return 0;
    errno = EIO;
    return -1;
}

int fsync(int fd) { return synced(fd); }
int fdatasync(int fd) { return synced(fd); }
