/*
 * Whatever way a handle is opened, the same reason refuses it with the same code, and leaves nothing behind.
 */
#include "fixture.h"

#include <sys/resource.h>
#include <sys/stat.h>

/* A channel that is there, and the ways to it. */
typedef struct place {
    const char *name;
    rr_server *server;
    int fd;
} place;

typedef enum way {
    SERVER_BY_NAME,
    SERVER_BY_FD,
    SERVER_OF_MEMFD,
    CLIENT_BY_NAME,
    CLIENT_BY_FD,
    CLIENT_OF_SERVER,
} way;

static const way ALL[] = {SERVER_BY_NAME, SERVER_BY_FD,  SERVER_OF_MEMFD,
                          CLIENT_BY_NAME, CLIENT_BY_FD, CLIENT_OF_SERVER};
static const way ATTACHING[] = {SERVER_BY_NAME, SERVER_BY_FD, CLIENT_BY_NAME, CLIENT_BY_FD, CLIENT_OF_SERVER};

static place make_place(const rr_options *options)
{
    place made = {new_name(), NULL, -1};
    EXPECT(rr_server_new(made.name, options, &made.server, NULL), 0);
    made.fd = rr_channel_fd(rr_server_channel(made.server));
    return made;
}

/* Opens a handle and frees it; returns the code. */
static int try_to_open(way how, const place *at, const rr_options *options, rr_error *error)
{
    static char somewhere;
    rr_server *server = (rr_server *)(void *)&somewhere;
    rr_client *client = (rr_client *)(void *)&somewhere;
    int code = 0, is_server = 1;
    memset(error, 'x', sizeof *error);
    switch (how) {
    case SERVER_BY_NAME:
        code = rr_server_new(at->name, options, &server, error);
        break;
    case SERVER_BY_FD:
        code = rr_server_from_fd(at->fd, options, &server, error);
        break;
    case SERVER_OF_MEMFD:
        code = rr_server_new_memfd("place", options, &server, error);
        break;
    case CLIENT_BY_NAME:
        code = rr_client_new(at->name, options, &client, error);
        is_server = 0;
        break;
    case CLIENT_BY_FD:
        code = rr_client_from_fd(at->fd, options, &client, error);
        is_server = 0;
        break;
    case CLIENT_OF_SERVER:
        code = rr_client_from_server(at->server, options, &client, error);
        is_server = 0;
        break;
    }
    const void *handle = is_server ? (const void *)server : (const void *)client;
    CHECK((code == 0) == (handle != NULL) && (code == 0) == (error->message[0] == '\0'));
    EXPECT(error->code, code);
    if (handle && is_server)
        rr_server_free(server);
    else if (handle)
        rr_client_free(client);
    return code;
}

static void expect_all(const way *ways, size_t count, const place *at, const rr_options *options, int code,
                       const char *told)
{
    for (size_t k = 0; k < count; k++) {
        rr_error error;
        EXPECT(try_to_open(ways[k], at, options, &error), code);
        if (told)
            CHECK_CONTAINS(error.message, told);
    }
}

static void every_way_is_open_if_nothing_is_wrong(void)
{
    place at = make_place(NULL);
    expect_all(ALL, LENGTH(ALL), &at, NULL, 0, NULL);
    rr_server_free(at.server);
}

static void options_that_a_later_version_knows_are_e2big(void)
{
    place at = make_place(NULL);
    struct {
        rr_options known;
        uint64_t later;
    } options = {RR_OPTIONS_INIT, 0};
    options.known.size = sizeof options;
    expect_all(ALL, LENGTH(ALL), &at, &options.known, 0, NULL);
    options.later = 1;
    expect_all(ALL, LENGTH(ALL), &at, &options.known, -E2BIG, "size");
    rr_server_free(at.server);
}

static void a_flag_that_nobody_knows_is_einval(void)
{
    place at = make_place(NULL);
    rr_options options = RR_OPTIONS_INIT;
    options.flags = UINT32_C(1) << 31;
    expect_all(ALL, LENGTH(ALL), &at, &options, -EINVAL, "flags");
    rr_server_free(at.server);
}

static void a_channel_of_another_kind_is_eproto(void)
{
    place at = make_place(NULL);
    rr_options integers = RR_OPTIONS_INIT;
    integers.kind = RR_KIND_INT;
    expect_all(ATTACHING, LENGTH(ATTACHING), &at, &integers, -EPROTO, "kind");
    rr_server_free(at.server);
}

static void a_channel_whose_entries_are_all_taken_is_eusers_until_somebody_leaves(void)
{
    rr_options two = RR_OPTIONS_INIT;
    two.participants = 2;
    place at = make_place(&two);
    rr_client *second;
    EXPECT(rr_client_from_server(at.server, NULL, &second, NULL), 0);
    expect_all(ATTACHING, LENGTH(ATTACHING), &at, NULL, -EUSERS, "participants: found 2");
    rr_client_free(second);
    expect_all(ATTACHING, LENGTH(ATTACHING), &at, NULL, 0, NULL);
    rr_server_free(at.server);
}

/* Root may do anything. */
static void be_nobody(void)
{
    if (geteuid() == 0)
        CHECK(setgid(65534) == 0 && setuid(65534) == 0);
}

static void a_process_without_permission_gets_eacces(void)
{
    place at = make_place(NULL);
    CHECK(fchmod(at.fd, 0) == 0);
    pid_t child = fork_child();
    if (child == 0) {
        be_nobody();
        expect_all(ATTACHING, LENGTH(ATTACHING), &at, NULL, -EACCES, "Permission denied");
        child_ends();
    }
    expect_ended_well(child);
    rr_server_free(at.server);
}

static void who_may_not_remove_a_name_gets_eacces(void)
{
    const char path[] = "./closed/channel";
    rr_server *server;
    CHECK(mkdir("./closed", 0700) == 0);
    EXPECT(rr_server_new(path, NULL, &server, NULL), 0);
    CHECK(chmod("./closed", 0500) == 0);
    pid_t child = fork_child();
    if (child == 0) {
        be_nobody();
        EXPECT(rr_unlink(path), -EACCES);
        EXPECT(rr_channel_unlink(rr_server_channel(server)), -EACCES);
        child_ends();
    }
    expect_ended_well(child);
    CHECK(chmod("./closed", 0700) == 0);
    EXPECT(rr_channel_unlink(rr_server_channel(server)), 0);
    rr_server_free(server);
}

static void too_many_open_descriptors_is_emfile_and_leaks_none(void)
{
    place at = make_place(NULL);
    for (size_t k = 0; k < LENGTH(ALL); k++) {
        pid_t child = fork_child();
        if (child == 0) {
            int lowest = dup(0), room = 0;
            struct rlimit few;
            close(lowest);
            CHECK(getrlimit(RLIMIT_NOFILE, &few) == 0);
            for (rr_error error;; room++) {
                CHECK(room < 8);
                few.rlim_cur = (rlim_t)(lowest + room);
                CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
                int code = try_to_open(ALL[k], &at, NULL, &error);
                if (code == 0)
                    break;
                EXPECT(code, -EMFILE);
            }
            CHECK(room > 0 && dup(0) == lowest);
            child_ends();
        }
        expect_ended_well(child);
    }
    rr_server_free(at.server);
}

static void a_channel_larger_than_the_process_may_write_is_efbig(void)
{
    static const way CREATING[] = {SERVER_BY_NAME, SERVER_OF_MEMFD};
    pid_t child = fork_child();
    if (child == 0) {
        const place named = {"./too-large", NULL, -1}, nameless = {NULL, NULL, -1};
        const struct rlimit little = {4096, 4096};
        CHECK(setrlimit(RLIMIT_FSIZE, &little) == 0);
        expect_all(CREATING, LENGTH(CREATING), &named, NULL, -EFBIG, "cannot ");
        CHECK(access("too-large", F_OK) != 0);
        expect_all(CREATING, LENGTH(CREATING), &nameless, NULL, -EFBIG, "cannot ");
        child_ends();
    }
    expect_ended_well(child);
}

int main(void)
{
    RUN(every_way_is_open_if_nothing_is_wrong);
    RUN(options_that_a_later_version_knows_are_e2big);
    RUN(a_flag_that_nobody_knows_is_einval);
    RUN(a_channel_of_another_kind_is_eproto);
    RUN(a_channel_whose_entries_are_all_taken_is_eusers_until_somebody_leaves);
    RUN(a_process_without_permission_gets_eacces);
    RUN(who_may_not_remove_a_name_gets_eacces);
    RUN(too_many_open_descriptors_is_emfile_and_leaks_none);
    RUN(a_channel_larger_than_the_process_may_write_is_efbig);
    return 0;
}
