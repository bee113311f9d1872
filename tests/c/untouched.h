/*
 * That a call which is refused leaves everything as it was: every byte of the channel's memory.
 */
#ifndef SHMRR_UNTOUCHED_H
#define SHMRR_UNTOUCHED_H

#include "fixture.h"

#include <sys/stat.h>

#define IMAGE_MAX (512 * 1024)

typedef struct image {
    rr_channel *channel;
    size_t length;
    unsigned char bytes[IMAGE_MAX];
} image;

static inline size_t read_image(rr_channel *channel, unsigned char *bytes)
{
    struct stat file;
    int fd = rr_channel_fd(channel);
    CHECK(fstat(fd, &file) == 0 && file.st_size <= IMAGE_MAX);
    CHECK(pread(fd, bytes, (size_t)file.st_size, 0) == file.st_size);
    return (size_t)file.st_size;
}

/* One at a time. */
static inline image *image_of(rr_channel *channel)
{
    static image taken;
    taken.channel = channel;
    taken.length = read_image(channel, taken.bytes);
    return &taken;
}

static inline void expect_untouched(const char *file, int line, const char *call, const image *before)
{
    static unsigned char now_there[IMAGE_MAX];
    size_t length = read_image(before->channel, now_there);
    for (size_t at = 0; at < length; at++)
        if (now_there[at] != before->bytes[at]) {
            fprintf(stderr, "%s:%d: %s: %s: changed byte %zu of the channel\n", file, line, check_promise, call, at);
            check_end(1);
        }
}

/* The call is refused with -EINVAL, and the channel is as it was when the image was taken. */
#define REFUSED(image, call) (EXPECT(call, -EINVAL), expect_untouched(__FILE__, __LINE__, #call, image))

#endif
