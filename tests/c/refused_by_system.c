/*
 * Whatever the system answers to whatever call of it, opening, removing and making an eventfd return only codes that mean
 * something of the system, and none that means something of a request or of an argument. A filter on system calls plays
 * a system that gives every answer there is, also those that no system gives.
 */
#include "filter.h"

static const uint32_t CALLS[] = {
    SYS_openat, SYS_memfd_create, SYS_ftruncate, SYS_fallocate, SYS_pwrite64, SYS_pread64,  SYS_fchmod,
    SYS_fstat,  SYS_newfstatat,   SYS_statx,     SYS_linkat,    SYS_fcntl,    SYS_mmap,     SYS_madvise,
    SYS_unlinkat,
    SYS_eventfd2, SYS_readlinkat, SYS_getrandom, SYS_prlimit64,
#ifdef SYS_unlink
    SYS_unlink, SYS_link, SYS_open, SYS_readlink,
#endif
};

/* What the system may make of a call; EUSERS where every lock seems to be taken. */
static const int OF_THE_SYSTEM[] = {
    0,      -EINTR,      -ENOENT, -ENOTDIR, -EISDIR, -ELOOP,  -ENAMETOOLONG, -EACCES, -EPERM,  -EROFS,
    -EIO,   -EOPNOTSUPP, -ENOSPC, -EFBIG,   -ENOMEM, -EMFILE, -ENFILE,       -ENOLCK, -EUSERS,
};
static const char *made, *there;

static void expect_among(const char *what, int code, const int *allowed, size_t count, uint32_t call, int number)
{
    for (size_t k = 0; k < count; k++)
        if (code == allowed[k])
            return;
    fprintf(stderr, "%s: errno %d of system call %u: found %d%s\n", what, number, call, code, check_code_name(code));
    check_end(1);
}

#define EXPECT_AMONG(call_of_library, allowed) \
    expect_among(#call_of_library, call_of_library, allowed, LENGTH(allowed), call, number)

static void try_all(uint32_t call, int number, rr_server *server)
{
    rr_server *another = NULL;
    rr_client *client = NULL;
    rr_error error;
    if (!let_fail(call, number)) {
        printf("skipped: no filter on system calls (errno %d)\n", errno);
        _exit(77);
    }
    EXPECT_AMONG(rr_server_new(made, NULL, &another, &error), OF_THE_SYSTEM);
    CHECK(error.code == 0 || error.message[0]);
    rr_server_free(another);
    EXPECT_AMONG(rr_server_new_memfd("refused", NULL, &another, &error), OF_THE_SYSTEM);
    rr_server_free(another);
    EXPECT_AMONG(rr_client_new(there, NULL, &client, &error), OF_THE_SYSTEM);
    rr_client_free(client);
    EXPECT_AMONG(rr_unlink(made), OF_THE_SYSTEM);
    int fd = rr_channel_request_fd_make(rr_server_channel(server));
    EXPECT_AMONG(fd < 0 ? fd : 0, OF_THE_SYSTEM);
    _exit(0);
}

static void the_system_s_answers_become_codes_of_the_system(void)
{
    made = new_name();
    there = new_name();
    rr_server *server;
    EXPECT(rr_server_new(there, NULL, &server, NULL), 0);
    for (size_t k = 0; k < LENGTH(CALLS); k++) {
        for (int number = 1; number <= 133; number++) {
            /* Only a descriptor that the library doesn't have would be that. */
            if (number == EBADF)
                continue;
            /* The sanitizer maps memory for the program, and ends it if it can't. */
            if (SANITIZED && CALLS[k] == SYS_mmap)
                continue;
            pid_t child = fork();
            CHECK(child >= 0);
            if (child == 0) {
                alarm(20);
                try_all(CALLS[k], number, server);
            }
            int status;
            CHECK(waitpid(child, &status, 0) == child);
            if (WIFSIGNALED(status))
                fprintf(stderr, "errno %d of system call %u: ended by signal %d\n", number, CALLS[k], WTERMSIG(status));
            CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77));
            rr_unlink(made);
            if (WEXITSTATUS(status) == 77)
                return;
        }
    }
    rr_server_free(server);
}

int main(void)
{
    RUN(the_system_s_answers_become_codes_of_the_system);
    return 0;
}
